/** From a window to the audit: what the SRE agent tells, asks and records, with a model that digs. */
import { afterAll, expect, test } from "bun:test";
import { SendMessageRequest, TaskState } from "@a2a-js/sdk";
import type { KV } from "@nats-io/kv";
import type { Mesh, Turn } from "../../../a2a/mod.ts";
import { Explainer } from "../../../agents/explain/explainer.ts";
import { plainWords } from "../../../agents/explain/plain.ts";
import {
  type Explains,
  type Llm,
  SreAgent,
  type SreAgentOptions,
  type Tools,
} from "../../../agents/mod.ts";
import { readRequest } from "../../../agents/protocol.ts";
import type { Notice } from "../../../alarms/mod.ts";
import { readAudit } from "../../../bridge/mod.ts";
import {
  newId,
  redact,
  silentLogger,
  systemClock,
  windowId,
  windowToJson,
} from "../../../core/mod.ts";
import type { SourceReport } from "../../../streams/mod.ts";
import { openMesh } from "../../a2a/echo.ts";
import { startNats } from "../../support/nats.ts";
import { until } from "../../support/until.ts";
import {
  evidenceAgent,
  incidentSettings,
  investigationsOf,
  SOURCE,
  WINDOW,
} from "../sre-fixtures.ts";
import { finding, MINUTE_MS, report } from "../verdict-fixtures.ts";

const stack = new AsyncDisposableStack();

afterAll(() => stack.disposeAsync());

/** An SRE agent that tells a list, over one source that finds what `look` finds. */
async function sreOver(
  look: ((turn: Turn) => Promise<SourceReport>) | undefined,
  explainer?: Explains,
  more: Partial<SreAgentOptions> = {},
  seen: (kv: KV) => KV = (kv) => kv,
) {
  const nats = await startNats();
  stack.defer(() => nats[Symbol.asyncDispose]());
  const mesh = await openMesh(nats.url, "sre");
  stack.defer(() => mesh.close());
  const source = await openMesh(nats.url, SOURCE);
  stack.defer(() => source.close());
  const told: Notice[] = [];
  if (look) await source.serve(evidenceAgent(await investigationsOf(source), source, look));
  const sre = new SreAgent({
    mesh,
    kv: seen(await investigationsOf(mesh)),
    log: silentLogger,
    sources: [SOURCE],
    timeoutMs: 2_000,
    baselineWindows: 0,
    inFlightMax: 4,
    superviseEveryMs: 100,
    sinks: [
      {
        name: "list",
        isIdempotent: true,
        minSeverity: "info",
        timeoutMs: 1_000,
        send: async (notice) => void told.push(notice),
      },
    ],
    ...(await incidentSettings(mesh)),
    ...(explainer ? { explainer } : {}),
    ...more,
  });
  await mesh.serve(sre.definition);
  await sre.start();
  stack.defer(() => sre.stop());
  return { sre, mesh, told };
}

/** A model that asks for the logs once, then concludes from the evidence. */
function diggingModel(): Llm & { readonly prompts: string[] } {
  const prompts: string[] = [];
  const cited = { text: "payment-service logged 150 errors, 2 before.", evidence: ["e1"] };
  return {
    prompts,
    name: "digging",
    explain: async ({ schema, prompt }) => {
      prompts.push(prompt);
      const ask =
        prompts.length === 1 ? [{ tool: "query_logs", arguments: '{"n":1}', why: "to see" }] : [];
      const answer = {
        headline: cited,
        rootCause: null,
        statements: [{ kind: "what", ...cited }],
        next: [],
        confidence: 0.5,
        ask,
      };
      const tokens = { prompt: 100, completion: 10 };
      return { value: schema.parse(answer), tokens, model: "digging-1" };
    },
  };
}

const TOOLS: Tools = {
  list: async () => [
    { name: "query_logs", description: "Logs.", input: { type: "object", properties: {} } },
  ],
  call: async () => ({ outcome: "ok", text: "no such thing" }),
};

async function auditBodies({ js, jsm, outbox }: Mesh): Promise<string[]> {
  await outbox.drain(10_000);
  const { signal } = new AbortController();
  const bodies: string[] = [];
  for await (const entry of readAudit({ js, jsm, follow: false, signal })) {
    if (entry.kind === "record") bodies.push(entry.record.body ?? "");
  }
  return bodies;
}

test("a model that digs: its calls are in the alarm's appendix and in the audit, its cost in both", async () => {
  const llm = diggingModel();
  const explainer = new Explainer({
    llm,
    tools: TOOLS,
    budget: { calls: 4, toolCalls: 6, tokens: 20_000, timeMs: MINUTE_MS, usd: 1 },
    day: { reserve: async () => ({ isGranted: true, settle: async () => {} }) },
    clock: systemClock,
    log: silentLogger,
    redact,
    promptTokensMax: 4_000,
    answerTokensMax: 500,
  });
  const { sre, mesh, told } = await sreOver(async () => report([finding()]), explainer);
  await sre.investigate(WINDOW, { id: "dug", baseline: [] });
  expect(llm.prompts).toHaveLength(2);
  const [notice] = told;
  expect(notice).toMatchObject({
    change: "opened",
    by: "digging-1",
    text: "payment-service logged 150 errors, 2 before [e1].",
    appendix: [{ tool: "query_logs", outcome: "ok" }],
    cost: { calls: 2, toolCalls: 1, promptTokens: 200, completionTokens: 20 },
  });
  // The window once more: the incident is known, and nobody is asked or told.
  await sre.investigate({ startMs: WINDOW.endMs, endMs: WINDOW.endMs + 300_000 }, { baseline: [] });
  expect(llm.prompts).toHaveLength(2);
  expect(told).toHaveLength(1);

  const bodies = await auditBodies(mesh);
  const holding = (word: string) => bodies.filter((body) => body.includes(word));
  expect(holding("petrel.tool-use/v1").length).toBeGreaterThan(0);
  expect(holding("petrel.incident-change/v1").length).toBeGreaterThan(0);
  expect(holding('"type":"petrel.alarm/v2"')).toHaveLength(1);
});

test("an agent that stops does not wait for a model that does not answer", async () => {
  const asked = Promise.withResolvers<void>();
  const mute: Explains = {
    explain: (_verdict, _context, signal) => {
      asked.resolve();
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
      );
    },
  };
  const { sre, told } = await sreOver(async () => report([finding()]), mute);
  const investigating = sre.investigate(WINDOW, { baseline: [] });
  await asked.promise;
  await sre.stop();
  await investigating.catch(() => {});
  expect(told).toEqual([]);
});

test("windows that come at once, after an outage, know of each other's incidents", async () => {
  const everyMs = 10_000;
  const beganMs = (Math.floor(systemClock.nowMs() / everyMs) - 7) * everyMs;
  // What is wrong shows beside what was normal, and only beside that.
  const look = async ({ data }: Turn): Promise<SourceReport> => {
    const { window, baseline } = readRequest(data);
    const isWrong = (start: string) => Date.parse(start) >= beganMs;
    const shows = isWrong(window.start) && !baseline.every(({ start }) => isWrong(start));
    return report(shows ? [finding()] : []);
  };
  const { sre } = await sreOver(look, undefined, { baselineWindows: 2 });
  const stop = new AbortController();
  const watching = sre.watch({ everyMs, settleMs: 0, catchUpMax: 8 }, stop.signal);
  const ids = Array.from({ length: 6 }, (_, at) => {
    const startMs = beganMs + at * everyMs;
    return windowId({ startMs, endMs: startMs + everyMs });
  });
  const outcomes = async () =>
    (await Promise.all(ids.map((id) => sre.verdict(id)))).map((verdict) => verdict?.outcome);
  await until("all are done", async () => (await outcomes()).every((one) => one !== undefined));
  stop.abort();
  await watching;
  expect(await outcomes()).toEqual(ids.map(() => "incident"));
});

test("words that could not be kept at once are not asked for again", async () => {
  let asked = 0;
  const counting: Explains = {
    explain: async (verdict) => {
      asked++;
      return plainWords(verdict);
    },
  };
  let failures = 2;
  const failing = (kv: KV) =>
    new Proxy(kv, {
      get(target, name, receiver) {
        const found: unknown = Reflect.get(target, name, receiver);
        if (typeof found !== "function") return found;
        return async (...args: unknown[]) => {
          if (name === "create" && String(args[0]).startsWith("x.") && failures-- > 0)
            throw new Error("TIMEOUT");
          return found.apply(target, args);
        };
      },
    });
  const { sre, told } = await sreOver(async () => report([finding()]), counting, {}, failing);
  await sre.investigate(WINDOW, { id: "kept", baseline: [] });
  expect([told.length, asked, failures]).toEqual([1, 1, -1]);
});

test("every source away: an operations alarm within the deadline, and never a quiet window", async () => {
  const { sre, told } = await sreOver(undefined);
  const verdict = await sre.investigate(WINDOW, { baseline: [] });
  expect(verdict?.outcome).toBe("inconclusive");
  expect(told).toMatchObject([
    { kind: "operations", severity: "critical", change: "opened", service: "petrel" },
  ]);
});

test("a look at some services only is an answer, and no alarm", async () => {
  const { sre, told } = await sreOver(async () => report([finding()]));
  const query = { services: ["payment-service"] };
  const verdict = await sre.investigate(WINDOW, { baseline: [], query });
  expect(verdict?.outcome).toBe("incident");
  expect(told).toEqual([]);
});

test("a question about what is long over is an answer, and no alarm", async () => {
  const { sre, mesh, told } = await sreOver(async () => report([finding()]));
  const { start, end } = windowToJson(WINDOW);
  const data = {
    schema: "petrel.investigate/v1",
    investigation: "asked",
    window: { start, end },
    baseline: [],
  };
  const message = {
    messageId: newId(),
    role: "ROLE_USER",
    parts: [{ data, mediaType: "application/json" }],
  };
  const task = await mesh.transport("sre").sendMessage(SendMessageRequest.fromJSON({ message }));
  expect(task).toMatchObject({ status: { state: TaskState.TASK_STATE_COMPLETED } });
  expect(told).toEqual([]);
  await sre.investigate(WINDOW, { baseline: [] });
  expect(told).toHaveLength(1);
});
