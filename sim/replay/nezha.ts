/**
 * Reads the Train-Ticket part of the Nezha data set (https://github.com/IntelligentDDS/Nezha) as it
 * is published: faults.json, one CSV of logs a minute, one CSV of metrics a pod and day.
 * Used when the data is cut, never while Petrel runs.
 */
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { parseCsv } from "./csv.ts";
import { KindSchema, type LogLine, METRIC_COLUMNS, type PodMetrics } from "./format.ts";
import type { RecordedKind } from "./recording.ts";

export interface Fault {
  readonly kind: RecordedKind;
  readonly pod: string;
  readonly injectMs: number;
}

const MINUTE_MS = 60_000;
/** Logs of a fault reach from its minute over this many minutes. */
const FAULT_MINUTES = 3;

const FaultsSchema = z.array(
  z.object({ inject_time: z.string(), inject_pod: z.string(), inject_type: KindSchema }),
);
const ContainerLogSchema = z.object({ log: z.string(), time: z.string() });

/** All faults, oldest first. Throws ZodError for a fault of a type it does not know. */
export async function readFaults(dataDir: string): Promise<Fault[]> {
  const entries = FaultsSchema.parse(await Bun.file(join(dataDir, "faults.json")).json());
  const faults = entries.map((entry) => ({
    kind: entry.inject_type,
    pod: entry.inject_pod,
    injectMs: Date.parse(`${entry.inject_time.replace(" ", "T")}Z`),
  }));
  return faults.sort((a, b) => a.injectMs - b.injectMs);
}

/** The days that have data, `2023-01-29` and so on. */
export async function readDays(dataDir: string): Promise<string[]> {
  const names = await readdir(dataDir);
  return names.filter((name) => /^\d{4}-\d\d-\d\d$/.test(name)).sort();
}

/** The three minutes of logs of a fault, as far as the data set has them. */
export async function readFaultLogs(dataDir: string, fault: Fault): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for (let minute = 0; minute < FAULT_MINUTES; minute++) {
    const iso = new Date(fault.injectMs + minute * MINUTE_MS).toISOString();
    const name = `${iso.slice(11, 13)}_${iso.slice(14, 16)}_log.csv`;
    lines.push(...(await readLogFile(join(dataDir, iso.slice(0, 10), "log", name))));
  }
  return lines;
}

/** The fault-free logs of a day. */
export async function readFaultFreeLogs(dataDir: string, day: string): Promise<LogLine[]> {
  const dir = join(dataDir, day, "fault_free_log");
  const names = (await readdir(dir)).filter((name) => name.endsWith(".csv")).sort();
  return (await Promise.all(names.map((name) => readLogFile(join(dir, name))))).flat();
}

/**
 * The `Log` column holds the container runtime's own JSON (`log`, `stream`, `time`). Its time is
 * taken, not that of the `Timestamp` column: where a message quotes a time of its own, the
 * collector put that one into `Timestamp`, and nonsense into `TimeUnixNano`.
 */
async function readLogFile(path: string): Promise<LogLine[]> {
  const rows = parseCsv(await Bun.file(path).text(), basename(path));
  return rows.map((row) => {
    const entry = ContainerLogSchema.parse(JSON.parse(row.Log ?? ""));
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
  const names = (await readdir(dir)).filter((name) => name.endsWith("_metric.csv")).sort();
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
