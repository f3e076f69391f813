/**
 * The Train-Ticket part of the Nezha data set as a recording, straight from its files, for the
 * evaluation. Any subset of its faults, days and files will do. Reads logs a few minutes at a time.
 */
import { PetrelError, type Window } from "../../core/mod.ts";
import type { LogLine, PodMetrics } from "./format.ts";
import {
  coverage,
  type Fault,
  readDays,
  readFaultFreeLogs,
  readFaultLogs,
  readFaults,
  readMetrics,
} from "./nezha.ts";
import { type LogQuery, type Recording, serviceOfPod } from "./recording.ts";
import { rowsNewestFirst } from "./rows.ts";
import { trainTicketMetrics } from "./train-ticket-metrics.ts";

const MINUTE_MS = 60_000;
const FAULT_WINDOW_MS = 3 * MINUTE_MS;
const QUIET_AFTER_MS = 120 * MINUTE_MS;
const QUIET_WINDOW_MS = 5 * MINUTE_MS;

export interface NezhaCase {
  /** Such as `2023-01-29T08:43 contacts return`. */
  readonly name: string;
  /** The source's own word for the type of fault; `fault_free` for a minute without one. */
  readonly kind: string;
  /** Where the fault was injected; absent without one. */
  readonly service?: string;
  readonly window: Window;
  /** Where the recording has logs without the fault. */
  readonly baseline: readonly Window[];
}

export interface NezhaRecording extends Recording {
  /** The faults with logs, oldest first, then the fault-free minutes. */
  readonly cases: readonly NezhaCase[];
  /** Faults of faults.json that have no log file here. */
  readonly left: number;
  readonly hasMetrics: boolean;
  /** Where only metrics were recorded, and nothing was injected for two hours. */
  readonly quiet: readonly Window[];
}

/** Lines of one stretch of the recording, oldest first. */
interface Chapter {
  readonly from: number;
  readonly to: number;
  readonly read: () => Promise<LogLine[]>;
}

/**
 * Opens a folder with `faults.json` and `<day>/{log,fault_free_log,metric}`.
 * Throws CONFIG_INVALID naming file, row and field of what cannot be read; USAGE when no fault has logs.
 */
export async function loadNezha(dir: string): Promise<NezhaRecording> {
  const faults = await readFaults(dir);
  const days = await readDays(dir);
  const free = await Promise.all(days.map((day) => faultFreeOf(dir, day)));
  const quiet = free.filter((one) => one !== undefined);
  const chapters: Chapter[] = quiet.map(({ chapter }) => chapter);
  const cases: NezhaCase[] = [];
  for (const fault of faults) {
    const found = await caseOf(dir, fault, quiet);
    if (found === undefined) continue;
    chapters.push(found.chapter);
    cases.push(found.one);
  }
  if (cases.length === 0) {
    throw new PetrelError("USAGE", `${dir}: no fault of faults.json has a log file here`);
  }
  const pods = (await Promise.all(days.map((day) => readMetrics(dir, day, always, () => "server"))))
    .flat()
    .filter(({ timesS }) => timesS.length > 0);
  return {
    name: "nezha",
    windows: [],
    cases: [...cases, ...quietCases(quiet)],
    left: faults.length - cases.length,
    hasMetrics: pods.length > 0,
    quiet: quietWindows(faults, pods),
    logRows: (query) => logRows(chapters, query),
    openMetrics: () => textOf(trainTicketMetrics(pods)),
  };
}

const always = () => true;

async function* textOf(pieces: Iterable<string>): AsyncIterable<string> {
  yield* pieces;
}

interface FaultFree {
  readonly day: string;
  readonly window: Window;
  readonly chapter: Chapter;
}

async function faultFreeOf(dir: string, day: string): Promise<FaultFree | undefined> {
  const lines = sortedUnique(await readFaultFreeLogs(dir, day));
  if (lines.length === 0) return undefined;
  const window = coverage(lines);
  return { day, window, chapter: chapterOf(lines, () => readFaultFreeLogs(dir, day)) };
}

async function caseOf(
  dir: string,
  fault: Fault,
  quiet: readonly FaultFree[],
): Promise<{ one: NezhaCase; chapter: Chapter } | undefined> {
  const lines = sortedUnique(await readFaultLogs(dir, fault));
  if (lines.length === 0) return undefined;
  const iso = new Date(fault.injectMs).toISOString();
  const service = serviceOfPod(fault.pod);
  // Every fault-free minute tells what is normal, that of the same day before the others.
  const isOther = ({ day }: FaultFree) => Number(day !== iso.slice(0, 10));
  const normal = [...quiet].sort((a, b) => isOther(a) - isOther(b));
  const one: NezhaCase = {
    name: `${iso.slice(0, 16)} ${service.replace(/^ts-|-service$/g, "")} ${fault.kind}`,
    kind: fault.kind,
    service,
    window: { startMs: fault.injectMs, endMs: fault.injectMs + FAULT_WINDOW_MS },
    baseline: normal.map((free) => free.window),
  };
  return { one, chapter: chapterOf(lines, () => readFaultLogs(dir, fault)) };
}

/** The second half of a fault-free minute against its first: what production has, the moments before. */
function quietCases(quiet: readonly FaultFree[]): NezhaCase[] {
  return quiet.map(({ window: { startMs, endMs } }) => {
    const middleMs = Math.round((startMs + endMs) / 2);
    const name = `${new Date(startMs).toISOString().slice(0, 16)} fault-free`;
    const window = { startMs: middleMs, endMs };
    return { name, kind: "fault_free", window, baseline: [{ startMs, endMs: middleMs }] };
  });
}

/** Whole windows of five minutes from two hours after a day's last known fault to its last sample. */
function quietWindows(faults: readonly Fault[], pods: readonly PodMetrics[]): Window[] {
  const lastOf = Map.groupBy(faults, ({ injectMs }) => dayOf(injectMs));
  return [...lastOf.values()].flatMap((own) => {
    const fromMs = Math.max(...own.map(({ injectMs }) => injectMs)) + QUIET_AFTER_MS;
    const times = pods.flatMap(({ timesS }) => timesS.at(-1) ?? []).map((timeS) => timeS * 1_000);
    const toMs = Math.max(0, ...times.filter((timeMs) => dayOf(timeMs) === dayOf(fromMs)));
    const count = Math.max(0, Math.floor((toMs - fromMs) / QUIET_WINDOW_MS));
    return Array.from({ length: count }, (_, index) => {
      const startMs = fromMs + index * QUIET_WINDOW_MS;
      return { startMs, endMs: startMs + QUIET_WINDOW_MS };
    });
  });
}

const dayOf = (timeMs: number) => Math.floor(timeMs / 86_400_000);

function chapterOf(lines: readonly LogLine[], read: () => Promise<LogLine[]>): Chapter {
  const { startMs, endMs } = coverage(lines);
  return { from: startMs, to: endMs, read: async () => sortedUnique(await read()) };
}

/** In order of time; a line that two files have is one. */
function sortedUnique(lines: readonly LogLine[]): LogLine[] {
  const unique = new Map(lines.map((line) => [JSON.stringify(line), line]));
  return [...unique].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
}

/** Newest first; neighbouring faults may share minutes, and their lines are told once. */
async function* logRows(chapters: readonly Chapter[], query: LogQuery) {
  const wanted = chapters.filter(({ from, to }) => from < query.latestMs && to >= query.earliestMs);
  const lines = await Promise.all(wanted.map(({ read }) => read()));
  yield* rowsNewestFirst(sortedUnique(lines.flat()), query);
}
