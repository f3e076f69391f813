/**
 * The recorded faults of the real Train-Ticket system (Nezha data set, MIT), from the source tree
 * or from inside the compiled binary. Reads one minute of logs at a time; changes nothing it reads,
 * invents no sample: counters are integrals of the recorded rates.
 */
import { join } from "node:path";
import { asPetrelError, PetrelError } from "../../core/mod.ts";
import logsPath from "../data/train-ticket/logs.jsonl.zst" with { type: "file" };
import manifestBuiltIn from "../data/train-ticket/manifest.json";
import metricsPath from "../data/train-ticket/metrics.json.zst" with { type: "file" };
import type { SimRow } from "../splunk/rows.ts";
import {
  decodeLines,
  type LogFrame,
  type LogLine,
  type Manifest,
  readManifest,
  readPodMetrics,
  unpack,
  windowsOf,
} from "./format.ts";
import type { LogQuery, Recording } from "./recording.ts";
import { rowsNewestFirst } from "./rows.ts";
import { trainTicketMetrics } from "./train-ticket-metrics.ts";

const MINUTE_MS = 60_000;

interface Files {
  readonly manifest: Manifest;
  readonly logs: Blob;
  readonly metrics: Blob;
}

/**
 * The recording; `dir` reads another cut than the one that comes with Petrel.
 * Throws CONFIG_INVALID when `dir` holds no readable cut.
 */
export async function loadTrainTicket(dir?: string): Promise<Recording> {
  const { manifest, logs, metrics } = await openFiles(dir);
  return {
    name: "train-ticket",
    windows: windowsOf(manifest),
    logRows: (query) => logRows(manifest.logs.frames, logs, query),
    async *openMetrics() {
      const text = unpack(new Uint8Array(await metrics.arrayBuffer()));
      yield* trainTicketMetrics(readPodMetrics(JSON.parse(text)));
    },
  };
}

async function openFiles(dir: string | undefined): Promise<Files> {
  if (dir === undefined) {
    return {
      manifest: readManifest(manifestBuiltIn),
      logs: Bun.file(logsPath),
      metrics: Bun.file(metricsPath),
    };
  }
  try {
    return {
      manifest: readManifest(await Bun.file(join(dir, "manifest.json")).json()),
      logs: Bun.file(join(dir, "logs.jsonl.zst")),
      metrics: Bun.file(join(dir, "metrics.json.zst")),
    };
  } catch (error) {
    throw asPetrelError(error, "CONFIG_INVALID", `recording in ${dir}`);
  }
}

async function* logRows(
  frames: readonly LogFrame[],
  logs: Blob,
  query: LogQuery,
): AsyncIterable<SimRow[]> {
  for (const frame of frames.toReversed()) {
    const minuteMs = Date.parse(frame.minute);
    if (minuteMs >= query.latestMs || minuteMs + MINUTE_MS <= query.earliestMs) continue;
    const lines = await readFrame(frame, logs);
    yield* rowsNewestFirst(lines, query);
  }
}

async function readFrame(frame: LogFrame, logs: Blob): Promise<LogLine[]> {
  const slice = logs.slice(frame.offset, frame.offset + frame.bytes);
  const lines = decodeLines(unpack(new Uint8Array(await slice.arrayBuffer())));
  if (lines.length === frame.rows) return lines;
  throw new PetrelError(
    "CONFIG_INVALID",
    `recording: minute ${frame.minute} has ${lines.length} rows, the manifest says ${frame.rows}`,
    { path: frame.minute },
  );
}
