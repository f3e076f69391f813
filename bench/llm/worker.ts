/** One run of `llm-tokens`: a window's lines through pipeline, conclusion and explainer, up to the question. */
import { z } from "zod";
import { conclude, Explainer, type Llm, loadTokenCounter } from "../../agents/mod.ts";
import {
  PetrelError,
  redact,
  silentLogger,
  systemClock,
  type Window,
  windowToJson,
} from "../../core/mod.ts";
import { serviceOfPod, volumeRows } from "../../sim/mod.ts";
import {
  detectLogs,
  parseEventTimeMs,
  type RowBatch,
  reportOfLogs,
  summariseLogs,
  TemplateMiner,
} from "../../streams/mod.ts";
import type { Run } from "../run.ts";
import { answer, readTask } from "../worker.ts";

export const TokensTask = z.object({ rows: z.number() });
export type TokensTask = z.infer<typeof TokensTask>;

const startMs = Date.UTC(2026, 2, 13, 14, 20);
const WINDOW: Window = { startMs, endMs: startMs + 300_000 };
/** Quiet lines before the window, so that it is compared as any other is. */
const BEFORE: Window = { startMs: startMs - 300_000, endMs: startMs };
const BEFORE_ROWS = 1_000;
const FAULTY = "payment-service";

async function* rowsOf(rows: number, window: Window, isQuiet: boolean): AsyncGenerator<RowBatch> {
  const query = { earliestMs: window.startMs, latestMs: window.endMs };
  for await (const batch of volumeRows({ rows, distinct: true })(query)) {
    const made = batch.map((row) => {
      const timeMs = parseEventTimeMs(String(row["_time"]));
      const raw = String(row["_raw"]);
      // All errors are one service's: the window has a fault however few its lines are.
      const service = raw.includes(" ERROR ") ? FAULTY : serviceOfPod(String(row["pod"]));
      return { raw, service, ...(timeMs === undefined ? {} : { timeMs }) };
    });
    const kept = isQuiet ? made.filter(({ raw }) => !raw.includes(" ERROR ")) : made;
    yield { rows: kept, bytes: kept.reduce((sum, { raw }) => sum + raw.length, 0) };
  }
}

async function verdictOf(rows: number) {
  const miner = new TemplateMiner();
  const before = await summariseLogs(rowsOf(BEFORE_ROWS, BEFORE, true), { window: BEFORE, miner });
  const current = await summariseLogs(rowsOf(rows, WINDOW, false), { window: WINDOW, miner });
  const window = windowToJson(WINDOW);
  const report = reportOfLogs({
    window,
    baseline: [],
    current,
    ...detectLogs(current, before, {}, { redact }),
    seconds: 1,
    link: () => undefined,
  });
  const record = {
    id: "bench",
    window,
    baseline: [],
    sources: [{ agent: "splunk", messageId: "m" }],
    timeoutMs: 1_000,
    state: "open" as const,
    owner: "o",
    owners: 1,
    traceparent: "",
    openedAt: window.end,
  };
  const reply = { status: "answered" as const, messageId: "m", taskId: "t", report };
  const answered = { agent: "splunk", answer: { kind: "reply" as const, reply }, tookMs: 1 };
  return { verdict: conclude(record, [answered], { concludedAt: window.end }), read: current.rows };
}

/** The first question, counted as it is sent: instructions, digest and schema. */
async function tokensOf(verdict: Awaited<ReturnType<typeof verdictOf>>["verdict"]) {
  const count = await loadTokenCounter();
  let tokens = 0;
  let evidence = 0;
  const llm: Llm = {
    name: "counter",
    explain: async ({ system, prompt, schema }) => {
      tokens = count(system) + count(prompt) + count(JSON.stringify(z.toJSONSchema(schema)));
      evidence = prompt.match(/^\{"id":"e\d+"/gm)?.length ?? 0;
      throw new PetrelError("QUERY_REFUSED", "only counted");
    },
  };
  const explainer = new Explainer({
    llm,
    budget: { calls: 1, toolCalls: 0, tokens: 20_000, timeMs: 60_000, usd: 1 },
    day: { reserve: async () => ({ isGranted: true, settle: async () => {} }) },
    clock: systemClock,
    log: silentLogger,
    redact,
    promptTokensMax: 4_000,
    answerTokensMax: 1_500,
  });
  await explainer.explain(verdict, { seenBefore: [] }, new AbortController().signal);
  return { tokens, evidence };
}

if (import.meta.main) {
  const { rows } = readTask(TokensTask);
  const { verdict, read } = await verdictOf(rows);
  if (verdict.outcome !== "incident")
    throw new PetrelError("INTERNAL", `llm-tokens: the verdict is ${verdict.outcome}`);
  const { tokens, evidence } = await tokensOf(verdict);
  const work = { rows: read, evidence: verdict.evidence.length, told: evidence };
  answer({ work, cost: { prompt: tokens } } satisfies Run);
}
