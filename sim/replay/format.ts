/**
 * The form in which recorded telemetry is kept (sim/data/README.md): a manifest, log frames and a
 * metrics table. Pure functions between that form and bytes; reads and writes no file itself.
 */
import { z } from "zod";
import { PetrelError, type Window } from "../../core/mod.ts";
import type { RecordedKind, RecordedWindow } from "./recording.ts";

export const MANIFEST_VERSION = 1;
const ZSTD_LEVEL = 19;

/** One log line: time in UTC with nine digits of seconds, pod, container, trace, span, text. */
export type LogLine = readonly [
  time: string,
  pod: string,
  container: string,
  traceId: string,
  spanId: string,
  text: string,
];

/** Where one minute of logs lies in the log file; each frame can be unpacked by itself. */
const LogFrameSchema = z.object({
  /** Start of the minute, ISO 8601. */
  minute: z.string(),
  rows: z.int().nonnegative(),
  offset: z.int().nonnegative(),
  bytes: z.int().positive(),
});

/** The columns of a pod, in the source's units; `null` where the source has NaN. */
export const METRIC_COLUMNS = {
  cpuMillicores: "CpuUsage(m)",
  cpuPercent: "CpuUsageRate(%)",
  memoryMiB: "MemoryUsage(Mi)",
  memoryPercent: "MemoryUsageRate(%)",
  receiveBytesPerS: "NetworkReceiveBytes",
  transmitBytesPerS: "NetworkTransmitBytes",
  clientLatencyP90S: "PodClientLatencyP90(s)",
  serverLatencyP90S: "PodServerLatencyP90(s)",
  requestsPerS: "PodWorkload(Ops)",
} as const;

export type MetricColumn = keyof typeof METRIC_COLUMNS;

const ColumnSchema = z.array(z.number().nullable());
export type Column = z.infer<typeof ColumnSchema>;

const PodMetricsSchema = z.object({
  pod: z.string(),
  container: z.string(),
  /** Seconds since the epoch, rising. */
  timesS: z.array(z.int()),
  columns: z.object({
    cpuMillicores: ColumnSchema,
    cpuPercent: ColumnSchema,
    memoryMiB: ColumnSchema,
    memoryPercent: ColumnSchema,
    receiveBytesPerS: ColumnSchema,
    transmitBytesPerS: ColumnSchema,
    clientLatencyP90S: ColumnSchema,
    serverLatencyP90S: ColumnSchema,
    requestsPerS: ColumnSchema,
  } satisfies Record<MetricColumn, typeof ColumnSchema>),
});

const JsonWindowSchema = z.object({ start: z.iso.datetime(), end: z.iso.datetime() });
const KINDS = [
  "return",
  "exception",
  "cpu_contention",
  "network_delay",
  "connection_pool",
  "fault_free",
] as const satisfies readonly RecordedKind[];
export const KindSchema = z.enum(KINDS);

const ManifestWindowSchema = z.object({
  id: z.string(),
  kind: KindSchema,
  service: z.string().optional(),
  window: JsonWindowSchema,
  logCoverage: JsonWindowSchema,
  logBaselines: z.array(JsonWindowSchema),
  metricBaseline: JsonWindowSchema.optional(),
  note: z.string().optional(),
});

const ManifestSchema = z.object({
  version: z.literal(MANIFEST_VERSION),
  source: z.string(),
  licence: z.string(),
  logs: z.object({ frames: z.array(LogFrameSchema) }),
  metrics: z.object({ ranges: z.array(JsonWindowSchema) }),
  windows: z.array(ManifestWindowSchema),
});

export type LogFrame = z.infer<typeof LogFrameSchema>;
export type PodMetrics = z.infer<typeof PodMetricsSchema>;
export type ManifestWindow = z.infer<typeof ManifestWindowSchema>;
export type Manifest = z.infer<typeof ManifestSchema>;
type JsonWindow = z.infer<typeof JsonWindowSchema>;

/** Throws CONFIG_INVALID naming the first place where the manifest is not what it should be. */
export function readManifest(json: unknown): Manifest {
  return checked(ManifestSchema, json, "manifest.json");
}

/** Throws CONFIG_INVALID as {@link readManifest} does. */
export function readPodMetrics(json: unknown): PodMetrics[] {
  return checked(z.array(PodMetricsSchema), json, "metrics.json");
}

/** The value as the schema has it. Throws CONFIG_INVALID naming `place` and the first field that is not so. */
export function checked<T>(schema: z.ZodType<T>, json: unknown, place: string): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path.join(".") ?? "";
  throw new PetrelError("CONFIG_INVALID", `${place}: ${path}: ${issue?.message}`, { path });
}

export function pack(text: string): Uint8Array {
  return Bun.zstdCompressSync(text, { level: ZSTD_LEVEL });
}

export function unpack(bytes: Uint8Array<ArrayBuffer>): string {
  return new TextDecoder().decode(Bun.zstdDecompressSync(bytes));
}

export function encodeLines(lines: readonly LogLine[]): string {
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

/** The lines of a frame, oldest first. Throws CONFIG_INVALID for anything else. */
export function decodeLines(text: string): LogLine[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const parsed: unknown = JSON.parse(line);
      if (isLogLine(parsed)) return parsed;
      throw new PetrelError("CONFIG_INVALID", `logs.jsonl: not a log line: ${line.slice(0, 80)}`);
    });
}

/** By hand, not by schema: it runs for each line. */
function isLogLine(value: unknown): value is LogLine {
  return (
    Array.isArray(value) && value.length === 6 && value.every((part) => typeof part === "string")
  );
}

export function windowsOf(manifest: Manifest): RecordedWindow[] {
  return manifest.windows.map((entry) => ({
    id: entry.id,
    kind: entry.kind,
    ...(entry.service === undefined ? {} : { service: entry.service }),
    window: toWindow(entry.window),
    logCoverage: toWindow(entry.logCoverage),
    logBaselines: entry.logBaselines.map(toWindow),
    ...(entry.metricBaseline === undefined
      ? {}
      : { metricBaseline: toWindow(entry.metricBaseline) }),
    ...(entry.note === undefined ? {} : { note: entry.note }),
  }));
}

function toWindow(json: JsonWindow): Window {
  return { startMs: Date.parse(json.start), endMs: Date.parse(json.end) };
}
