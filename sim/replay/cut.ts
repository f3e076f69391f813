#!/usr/bin/env bun
/**
 * Cuts the demo's data out of the Nezha data set; sim/data/README.md says what comes out.
 *
 *     bun sim/replay/cut.ts --data DIR --out sim/data/train-ticket [--faults MINUTE,MINUTE,…|all]
 *
 * A tool for developers; the same input gives the same bytes. Not part of the binary.
 */
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { PetrelError, type Window, windowToJson } from "../../core/mod.ts";
import {
  encodeLines,
  KindSchema,
  type LogFrame,
  type LogLine,
  MANIFEST_VERSION,
  type Manifest,
  type ManifestWindow,
  type PodMetrics,
  pack,
} from "./format.ts";
import {
  coverage,
  type Fault,
  readDays,
  readFaultFreeLogs,
  readFaultLogs,
  readFaults,
  readMetrics,
} from "./nezha.ts";
import { serviceOfPod } from "./recording.ts";

const MINUTE_MS = 60_000;
const FAULT_WINDOW_MS = 3 * MINUTE_MS;
const METRICS_BEFORE_MS = 40 * MINUTE_MS;
const METRICS_AFTER_MS = 5 * MINUTE_MS;

/** Two of each type, of both days. */
const FAULTS_DEFAULT =
  "2023-01-29T08:43,2023-01-29T09:25,2023-01-29T10:26,2023-01-29T11:19,2023-01-29T13:31," +
  "2023-01-30T11:59,2023-01-30T12:36,2023-01-30T13:22";

interface FaultFreeDay {
  readonly day: string;
  readonly lines: readonly LogLine[];
  /** The 60 s, from a whole second, with the most lines: the set says "a minute", not which. */
  readonly window: Window;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      data: { type: "string" },
      out: { type: "string" },
      faults: { type: "string", default: FAULTS_DEFAULT },
    },
  });
  if (values.data === undefined || values.out === undefined) {
    throw new PetrelError("USAGE", "--data DIR and --out DIR are needed");
  }
  await mkdir(values.out, { recursive: true });
  const faults = chooseFaults(await readFaults(values.data), values.faults);
  const days = await Promise.all(
    (await readDays(values.data)).map((day) => faultFreeDay(values.data ?? "", day)),
  );
  const faultLines = new Map<Fault, LogLine[]>();
  for (const fault of faults) faultLines.set(fault, await readFaultLogs(values.data, fault));
  const lines = [...days.flatMap((day) => day.lines), ...[...faultLines.values()].flat()];

  const quiet = quietWindows(days);
  const ranges = mergeRanges([...faults.map(faultWindow), ...quiet.map(parseWindow)].map(widen));
  const pods = await cutMetrics(values.data, days, ranges, lines);
  const { bytes, frames } = packLines(lines);
  const firstMetricMs = (day: string) =>
    Math.min(...pods.map((pod) => firstOnDay(pod, day))) * 1_000;
  const entries = faults.map((fault) =>
    faultEntry(fault, coverage(faultLines.get(fault) ?? []), days, firstMetricMs),
  );

  const manifest: Manifest = {
    version: MANIFEST_VERSION,
    source: "https://github.com/IntelligentDDS/Nezha, Train-Ticket",
    licence: "MIT, see LICENSE",
    logs: { frames },
    metrics: { ranges: ranges.map(windowToJson) },
    windows: [...entries, ...quiet],
  };
  await Bun.write(join(values.out, "logs.jsonl.zst"), bytes);
  await Bun.write(join(values.out, "metrics.json.zst"), pack(JSON.stringify(pods)));
  await Bun.write(join(values.out, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  await copyFile(join(values.data, "LICENSE"), join(values.out, "LICENSE"));
  console.log(`${faults.length} faults, ${frames.length} log minutes, ${pods.length} pods`);
}

/** The faults whose minute of injection is in `wanted`. Throws USAGE for a minute without one. */
function chooseFaults(all: readonly Fault[], wanted: string): Fault[] {
  if (wanted === "all") return [...all];
  return wanted.split(",").map((minute) => {
    const found = all.find((fault) => isoMinute(fault.injectMs) === minute.trim());
    if (found !== undefined) return found;
    throw new PetrelError("USAGE", `--faults: no fault was injected in the minute ${minute}`, {
      path: "--faults",
    });
  });
}

async function faultFreeDay(dataDir: string, day: string): Promise<FaultFreeDay> {
  const lines = await readFaultFreeLogs(dataDir, day);
  return { day, lines, window: densestMinute(lines.map((line) => Date.parse(line[0]))) };
}

function densestMinute(timesMs: readonly number[]): Window {
  const seconds = [...new Set(timesMs.map((ms) => Math.floor(ms / 1_000) * 1_000))];
  const linesFrom = (startMs: number) =>
    timesMs.filter((ms) => ms >= startMs && ms < startMs + MINUTE_MS).length;
  const startMs = seconds.reduce((best, s) => (linesFrom(s) > linesFrom(best) ? s : best));
  return { startMs, endMs: startMs + MINUTE_MS };
}

function faultWindow(fault: Fault): Window {
  return { startMs: fault.injectMs, endMs: fault.injectMs + FAULT_WINDOW_MS };
}

function widen(window: Window): Window {
  const firstMinuteMs = Math.floor(window.startMs / MINUTE_MS) * MINUTE_MS;
  return { startMs: firstMinuteMs - METRICS_BEFORE_MS, endMs: window.endMs + METRICS_AFTER_MS };
}

function mergeRanges(ranges: readonly Window[]): Window[] {
  const merged: Window[] = [];
  for (const range of [...ranges].sort((a, b) => a.startMs - b.startMs)) {
    const last = merged.at(-1);
    if (last === undefined || range.startMs > last.endMs) merged.push(range);
    else merged[merged.length - 1] = { ...last, endMs: Math.max(last.endMs, range.endMs) };
  }
  return merged;
}

async function cutMetrics(
  dataDir: string,
  days: readonly FaultFreeDay[],
  ranges: readonly Window[],
  lines: readonly LogLine[],
): Promise<PodMetrics[]> {
  const containers = new Map(lines.map((line) => [line[1], line[2]]));
  const isWanted = (timeS: number) =>
    ranges.some((range) => timeS * 1_000 >= range.startMs && timeS * 1_000 <= range.endMs);
  const perDay = days.map(({ day }) =>
    readMetrics(dataDir, day, isWanted, (pod) => containers.get(pod) ?? "server"),
  );
  return (await Promise.all(perDay)).flat();
}

/** First sample of the pod on that day, seconds; Infinity when it has none. */
function firstOnDay(pod: PodMetrics, day: string): number {
  const dayS = Date.parse(`${day}T00:00:00Z`) / 1_000;
  return pod.timesS.find((timeS) => timeS >= dayS && timeS < dayS + 86_400) ?? Infinity;
}

/** Sorts, drops lines that two files of the source both have, and packs minute by minute. */
function packLines(lines: readonly LogLine[]): { bytes: Uint8Array; frames: LogFrame[] } {
  const unique = new Map(lines.map((line) => [JSON.stringify(line), line]));
  const sorted = [...unique.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
  const minutes = Map.groupBy(sorted, (line) => `${line[0].slice(0, 16)}:00Z`);
  const frames: LogFrame[] = [];
  const chunks: Uint8Array[] = [];
  let offset = 0;
  for (const [minute, group] of minutes) {
    const chunk = pack(encodeLines(group));
    frames.push({ minute, rows: group.length, offset, bytes: chunk.length });
    chunks.push(chunk);
    offset += chunk.length;
  }
  return { bytes: Buffer.concat(chunks), frames };
}

function faultEntry(
  fault: Fault,
  covered: Window,
  days: readonly FaultFreeDay[],
  firstMetricMs: (day: string) => number,
): ManifestWindow {
  const window = faultWindow(fault);
  const iso = new Date(fault.injectMs).toISOString();
  const day = iso.slice(0, 10);
  const service = serviceOfPod(fault.pod);
  const name = service.replace(/^ts-|-service$/g, "");
  const metricsFromMs = Math.max(window.startMs - METRICS_BEFORE_MS, firstMetricMs(day));
  const minutes = Math.round((window.startMs - metricsFromMs) / MINUTE_MS);
  return {
    id: `${day.replaceAll("-", "")}-${iso.slice(11, 16).replace(":", "")}-${name}-${fault.kind}`,
    kind: KindSchema.parse(fault.kind),
    service,
    window: windowToJson(window),
    logCoverage: windowToJson(covered),
    logBaselines: [
      { startMs: covered.startMs, endMs: window.startMs },
      ...days.filter((free) => free.day === day).map((free) => free.window),
    ].map(windowToJson),
    metricBaseline: windowToJson({ startMs: metricsFromMs, endMs: window.startMs }),
    ...(minutes < METRICS_BEFORE_MS / MINUTE_MS
      ? { note: `The source's metrics begin only ${minutes} min before this window.` }
      : {}),
  };
}

/**
 * Windows in which nothing was injected. No minute is its own baseline: the first day's minute is
 * split, and the second day's minute is held against the first day's.
 */
function quietWindows(days: readonly FaultFreeDay[]): ManifestWindow[] {
  const [first, second] = days;
  if (first === undefined || second === undefined) {
    throw new PetrelError("CONFIG_INVALID", "the data set needs two days of fault-free logs");
  }
  const middleMs = first.window.startMs + MINUTE_MS / 2;
  return [
    {
      id: `${first.day.replaceAll("-", "")}-quiet-half`,
      kind: "fault_free",
      window: windowToJson({ startMs: middleMs, endMs: first.window.endMs }),
      logCoverage: windowToJson(first.window),
      logBaselines: [windowToJson({ startMs: first.window.startMs, endMs: middleMs })],
      note:
        "Second half of the day's fault-free minute against its first half. Small: requests that " +
        "cross the middle are cut in two. The few metrics before it hold the fault of 08:43, so " +
        "no metric baseline is named.",
    },
    {
      id: `${second.day.replaceAll("-", "")}-quiet`,
      kind: "fault_free",
      window: windowToJson(second.window),
      logCoverage: windowToJson(second.window),
      logBaselines: [windowToJson(first.window)],
      note:
        "The second day's fault-free minute against the first day's: the same software a day and " +
        "a redeployment apart. The source has no metrics before or in this minute.",
    },
  ];
}

function parseWindow(entry: ManifestWindow): Window {
  return { startMs: Date.parse(entry.window.start), endMs: Date.parse(entry.window.end) };
}

function isoMinute(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 16);
}

if (import.meta.main) await main();
