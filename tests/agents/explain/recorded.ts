/** The verdicts of the demo's recorded faults, from their logs alone, through pipeline and conclusion. */
import { conclude } from "../../../agents/sre/conclude.ts";
import type { InvestigationRecord, Verdict } from "../../../agents/sre/records.ts";
import { redact, type Window, windowId, windowToJson } from "../../../core/mod.ts";
import {
  loadTrainTicket,
  paymentScenario,
  type RecordedWindow,
  type Recording,
  serviceOfPod,
} from "../../../sim/mod.ts";
import {
  detectLogs,
  type LogSummary,
  parseEventTimeMs,
  type RowBatch,
  reportOfLogs,
  summariseLogs,
  TemplateMiner,
} from "../../../streams/mod.ts";

async function* rowsOf(recording: Recording, window: Window): AsyncGenerator<RowBatch> {
  const query = { earliestMs: window.startMs, latestMs: window.endMs };
  for await (const batch of recording.logRows(query)) {
    const rows = batch.map((row) => {
      const timeMs = parseEventTimeMs(String(row["_time"]));
      const service = row["service"] ?? serviceOfPod(String(row["pod"]));
      const named = { raw: String(row["_raw"]), service: String(service) };
      return timeMs === undefined ? named : { ...named, timeMs };
    });
    yield { rows: rows.reverse(), bytes: 1 };
  }
}

async function verdictOf(recording: Recording, recorded: RecordedWindow): Promise<Verdict> {
  const miner = new TemplateMiner();
  const read = (window: Window): Promise<LogSummary> =>
    summariseLogs(rowsOf(recording, window), { window, miner });
  const [baseline] = recorded.logBaselines.slice(-1);
  const before = baseline && (await read(baseline));
  const current = await read(recorded.window);
  const window = windowToJson(recorded.window);
  const report = reportOfLogs({
    window,
    baseline: [],
    current,
    ...detectLogs(current, before, {}, { redact }),
    seconds: 1,
    link: () => undefined,
  });
  const at = window.end;
  const record: InvestigationRecord = {
    id: windowId(recorded.window),
    window,
    baseline: [],
    sources: [{ agent: "splunk", messageId: "m" }],
    timeoutMs: 1_000,
    state: "open",
    owner: "o",
    owners: 1,
    traceparent: "",
    openedAt: at,
  };
  const reply = { status: "answered" as const, messageId: "m", taskId: "t", report };
  const answered = { agent: "splunk", answer: { kind: "reply" as const, reply }, tookMs: 1 };
  return conclude(record, [answered], { concludedAt: at });
}

/** One verdict for each recorded fault that logs alone show. */
export async function recordedVerdicts(): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const recording of [await loadTrainTicket(), paymentScenario()]) {
    for (const recorded of recording.windows) {
      if (recorded.kind === "fault_free") continue;
      const verdict = await verdictOf(recording, recorded);
      if (verdict.outcome === "incident") verdicts.push(verdict);
    }
  }
  return verdicts;
}
