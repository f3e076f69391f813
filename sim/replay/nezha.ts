/**
 * Reads the Train-Ticket part of the Nezha data set (https://github.com/IntelligentDDS/Nezha) as it
 * is published: faults.json, one CSV of logs a minute, one CSV of metrics a pod and day.
 * Used when the data is cut and when it is evaluated, never while Petrel runs.
 */
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { asPetrelError, messageOf, PetrelError, type Window } from "../../core/mod.ts";
import { parseCsv } from "./csv.ts";
import { checked, type LogLine, METRIC_COLUMNS, type PodMetrics } from "./format.ts";

export interface Fault {
  /** The source's own word for it, such as `return` or `network_delay`. */
  readonly kind: string;
  readonly pod: string;
  readonly injectMs: number;
}

const MINUTE_MS = 60_000;
/** Logs of a fault reach from its minute over this many minutes. */
const FAULT_MINUTES = 3;

const FaultsSchema = z.array(
  z.object({
    inject_time: z.string().regex(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/),
    inject_pod: z.string().min(1),
    inject_type: z.string().min(1).max(64),
  }),
);
const ContainerLogSchema = z.object({ log: z.string(), time: z.iso.datetime() });

/** All faults, oldest first. Throws CONFIG_INVALID naming the place of what is wrong. */
export async function readFaults(dataDir: string): Promise<Fault[]> {
  const path = join(dataDir, "faults.json");
  const entries = checked(FaultsSchema, await readJson(path), path);
  const faults = entries.map((entry) => ({
    kind: entry.inject_type,
    pod: entry.inject_pod,
    injectMs: Date.parse(`${entry.inject_time.replace(" ", "T")}Z`),
  }));
  return faults.sort((a, b) => a.injectMs - b.injectMs);
}

async function readJson(path: string): Promise<unknown> {
  try {
    return await Bun.file(path).json();
  } catch (error) {
    throw new PetrelError("CONFIG_INVALID", `${path}: ${messageOf(error)}`, { path }, error);
  }
}

/** The days that have data, `2023-01-29` and so on. */
export async function readDays(dataDir: string): Promise<string[]> {
  const names = await readdir(dataDir);
  return names.filter((name) => /^\d{4}-\d\d-\d\d$/.test(name)).sort();
}

/** The three minutes of logs of a fault, as far as the folder has them. */
export async function readFaultLogs(dataDir: string, fault: Fault): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for (let minute = 0; minute < FAULT_MINUTES; minute++) {
    const iso = new Date(fault.injectMs + minute * MINUTE_MS).toISOString();
    const name = `${iso.slice(11, 13)}_${iso.slice(14, 16)}_log.csv`;
    const path = join(dataDir, iso.slice(0, 10), "log", name);
    if (await Bun.file(path).exists()) lines.push(...(await readLogFile(path)));
  }
  return lines;
}

/** The fault-free logs of a day. */
export async function readFaultFreeLogs(dataDir: string, day: string): Promise<LogLine[]> {
  const dir = join(dataDir, day, "fault_free_log");
  const names = (await namesIn(dir)).filter((name) => name.endsWith(".csv")).sort();
  return (await Promise.all(names.map((name) => readLogFile(join(dir, name))))).flat();
}

/** The names in a folder; none when the data set was cut without it. */
async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

/**
 * The `Log` column holds the container runtime's own JSON (`log`, `stream`, `time`). Its time is
 * taken, not that of the `Timestamp` column: where a message quotes a time of its own, the
 * collector put that one into `Timestamp`, and nonsense into `TimeUnixNano`.
 */
async function readLogFile(path: string): Promise<LogLine[]> {
  const rows = parseCsv(await Bun.file(path).text(), basename(path));
  return rows.map((row, index) => {
    const entry = containerLog(row.Log ?? "", `${path}: row ${index + 2}: column Log`);
    return [
      withNanoseconds(entry.time),
      row.PodName ?? "",
      row.Container ?? "",
      row.TraceID ?? "",
      row.SpanID ?? "",
      entry.log.replace(/\n$/, ""),
    ] as const;
  });
}

function containerLog(text: string, place: string): z.infer<typeof ContainerLogSchema> {
  try {
    return checked(ContainerLogSchema, JSON.parse(text), place);
  } catch (error) {
    throw asPetrelError(error, "CONFIG_INVALID", place);
  }
}

/** `…:01.19414825Z` with the nine digits it stands for, so that text order is time order. */
function withNanoseconds(time: string): string {
  const [seconds = "", fraction = ""] = time.replace("Z", "").split(".");
  return `${seconds}.${fraction.padEnd(9, "0")}Z`;
}

/** Metrics of all pods of a day, at the times `isWanted` (seconds since the epoch) accepts. */
export async function readMetrics(
  dataDir: string,
  day: string,
  isWanted: (timeS: number) => boolean,
  containerOf: (pod: string) => string,
): Promise<PodMetrics[]> {
  const dir = join(dataDir, day, "metric");
  const names = (await namesIn(dir)).filter((name) => name.endsWith("_metric.csv")).sort();
  return Promise.all(
    names.map(async (name) => {
      const pod = name.slice(0, -"_metric.csv".length);
      const all = parseCsv(await Bun.file(join(dir, name)).text(), name);
      const rows = all.filter((row) => isWanted(Number(row.TimeStamp)));
      const column = (source: string) => rows.map((row) => rounded(Number(row[source])));
      return {
        pod,
        container: containerOf(pod),
        timesS: rows.map((row) => Number(row.TimeStamp)),
        columns: {
          cpuMillicores: column(METRIC_COLUMNS.cpuMillicores),
          cpuPercent: column(METRIC_COLUMNS.cpuPercent),
          memoryMiB: column(METRIC_COLUMNS.memoryMiB),
          memoryPercent: column(METRIC_COLUMNS.memoryPercent),
          receiveBytesPerS: column(METRIC_COLUMNS.receiveBytesPerS),
          transmitBytesPerS: column(METRIC_COLUMNS.transmitBytesPerS),
          clientLatencyP90S: column(METRIC_COLUMNS.clientLatencyP90S),
          serverLatencyP90S: column(METRIC_COLUMNS.serverLatencyP90S),
          requestsPerS: column(METRIC_COLUMNS.requestsPerS),
        },
      };
    }),
  );
}

/** Six significant digits: far finer than the metrics are, and half the bytes. */
function rounded(value: number): number | null {
  return Number.isFinite(value) ? Number(value.toPrecision(6)) : null;
}

/** From the first to the last line, on whole seconds. */
export function coverage(lines: readonly LogLine[]): Window {
  const times = lines.map((line) => line[0]).sort();
  const startMs = Date.parse(times.at(0) ?? "");
  const endMs = Date.parse(times.at(-1) ?? "");
  return { startMs: Math.floor(startMs / 1_000) * 1_000, endMs: Math.ceil(endMs / 1_000) * 1_000 };
}
