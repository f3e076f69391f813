/** The recorded faults that are made to last, from each recording, with the fault-free logs they need. */
import type { Window } from "../../core/mod.ts";
import type { NezhaRecording, Recording, SimRow } from "../../sim/mod.ts";
import { parseEventTimeMs } from "../../streams/mod.ts";
import type { RecordedFault } from "./episodes.ts";

const MINUTE_MS = 60_000;
/** As far back as the metrics agent looks for what is normal. */
const BEFORE_MS = 60 * MINUTE_MS;

/** Nezha's faults. Those without any fault-free minute are left out: they could never be over. */
export async function nezhaFaults(recording: NezhaRecording): Promise<RecordedFault[]> {
  const dense = new Map<number, Window>();
  const faults: RecordedFault[] = [];
  for (const { name, kind, service, window, baseline } of recording.cases) {
    if (service === undefined) continue;
    for (const calm of baseline) {
      if (!dense.has(calm.startMs)) dense.set(calm.startMs, await densestMinute(recording, calm));
    }
    const calm = baseline.flatMap(({ startMs }) => dense.get(startMs) ?? []);
    if (calm.length === 0) continue;
    const before = { startMs: window.startMs - BEFORE_MS, endMs: window.startMs };
    faults.push({ name, kind, service, window, before, calm, hasLogsBefore: false });
  }
  return faults;
}

/** The faults of a recording that names its windows. */
export function recordedFaults({ windows }: Recording): RecordedFault[] {
  return windows.flatMap((one): RecordedFault[] => {
    const { id, kind, service, window, logBaselines, logCoverage, metricBaseline } = one;
    const calm = logBaselines.slice(-1);
    if (service === undefined || calm.length === 0) return [];
    const hasLogsBefore =
      metricBaseline !== undefined && logCoverage.startMs <= metricBaseline.startMs;
    const hourBefore = { startMs: window.startMs - BEFORE_MS, endMs: window.startMs };
    const before = hasLogsBefore ? metricBaseline : hourBefore;
    return [{ name: id, kind, service, window, before, calm, hasLogsBefore }];
  });
}

/** The minute with the most lines: the data's fault-free files hold strays of the minutes around it. */
async function densestMinute(recording: Recording, { startMs, endMs }: Window): Promise<Window> {
  const counts = new Map<number, number>();
  for await (const rows of recording.logRows({ earliestMs: startMs, latestMs: endMs })) {
    for (const row of rows) {
      const second = Math.floor((timeOf(row) - startMs) / 1_000);
      counts.set(second, (counts.get(second) ?? 0) + 1);
    }
  }
  const seconds = Math.max(0, Math.floor((endMs - startMs - MINUTE_MS) / 1_000));
  let best = { second: 0, lines: -1 };
  for (let second = 0; second <= seconds; second++) {
    let lines = 0;
    for (let at = second; at < second + MINUTE_MS / 1_000; at++) lines += counts.get(at) ?? 0;
    if (lines > best.lines) best = { second, lines };
  }
  const fromMs = startMs + best.second * 1_000;
  return { startMs: fromMs, endMs: Math.min(endMs, fromMs + MINUTE_MS) };
}

function timeOf({ _time: time }: SimRow): number {
  return (typeof time === "string" ? parseEventTimeMs(time) : undefined) ?? Number.NaN;
}
