/**
 * The Train-Ticket part of the Nezha data set as a recording, straight from its files, for the
 * evaluation. Any subset of its faults, days and files will do. Reads logs a few minutes at a time.
 */
import { PetrelError, type Window } from "../../core/mod.ts";
import type { LogLine } from "./format.ts";
import {
  coverage,
  densestMinute,
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
  const window = densestMinute(lines.map(timeOf));
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
  const before = { startMs: coverage(lines).startMs, endMs: fault.injectMs };
  const sameDay = quiet.filter(({ day }) => day === iso.slice(0, 10));
  const one: NezhaCase = {
    name: `${iso.slice(0, 16)} ${service.replace(/^ts-|-service$/g, "")} ${fault.kind}`,
    kind: fault.kind,
    service,
    window: { startMs: fault.injectMs, endMs: fault.injectMs + FAULT_WINDOW_MS },
    baseline: sameDay.map(({ window }) => window).filter(
      ({ startMs, endMs }) => startMs < endMs,
    ),
  };
  return { one, chapter: chapterOf(lines, () => readFaultLogs(dir, fault)) };
}

/** A fault-free minute against that of another day: no minute is its own baseline. */
function quietCases(quiet: readonly FaultFree[]): NezhaCase[] {
  return quiet.flatMap(({ day, window }) => {
    const others = quiet.filter((other) => other.day !== day);
    if (others.length === 0) return [];
    const name = `${new Date(window.startMs).toISOString().slice(0, 16)} fault-free`;
    return [{ name, kind: "fault_free", window, baseline: others.map((other) => other.window) }];
  });
}

const timeOf = (line: LogLine) => Date.parse(line[0]);

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
