/**
 * The Splunk agent: reads a window's logs as a stream, compares them with the baseline's, and answers
 * with findings. A window read once is remembered as a summary (reader.ts), so that the next window's
 * baseline costs nothing. No log line stays in memory.
 */
import type { KV } from "@nats-io/kv";
import type { AgentDefinition, Turn } from "../../a2a/mod.ts";
import { type Clock, type Logger, PetrelError, type Window, windowToJson } from "../../core/mod.ts";
import {
  detectLogs,
  type LogSummary,
  mergeSummaries,
  type RowBatch,
  type RuleSet,
  reportOfLogs,
  type SourceReport,
} from "../../streams/mod.ts";
import { makeEvidenceAgent } from "../evidence.ts";
import { AgentMemory } from "../memory.ts";
import { type InvestigateRequest, type LogQuerySpec, toWindow } from "../protocol.ts";
import { WindowReader } from "./reader.ts";

/** Where logs come from. cli/ passes in a Splunk client, files or NATS messages. */
export interface LogSource {
  readonly name: string;
  /** Streams the rows of a window. Pulling slowly slows the source. Throws PetrelError. */
  open(query: LogQuerySpec, window: Window, signal: AbortSignal): AsyncIterable<RowBatch>;
  /** A link a person can open to see the same lines. */
  link?(query: LogQuerySpec, window: Window, terms?: readonly string[]): string | undefined;
}

export interface SplunkAgentOptions {
  readonly source: LogSource;
  readonly kv: KV;
  readonly clock: Clock;
  readonly log: Logger;
  readonly rules: RuleSet;
  /** Used where a request does not say. */
  readonly query: LogQuerySpec;
  readonly redact: (text: string) => string;
}

export function makeSplunkAgent(options: SplunkAgentOptions): AgentDefinition {
  const memory = new AgentMemory({ kv: options.kv, agent: "splunk", log: options.log });
  const reader = new WindowReader({ ...options, memory });
  return makeEvidenceAgent({
    name: "splunk",
    description: "Reads the logs of a window and says what changed against a baseline.",
    skill: {
      id: "log-findings",
      name: "Log findings",
      description:
        "Templates, error bursts, HTTP 5xx and latency of one window, against a baseline.",
      tags: ["logs", "splunk", "evidence"],
      examples: [
        '{"schema":"petrel.investigate/v1","window":{"start":"…","end":"…"},"baseline":[]}',
      ],
    },
    kv: options.kv,
    clock: options.clock,
    look: (request, turn) => look(options, reader, request, turn),
  });
}

async function look(
  options: SplunkAgentOptions,
  reader: WindowReader,
  request: InvestigateRequest,
  turn: Turn,
): Promise<SourceReport> {
  const query = { ...options.query, ...request.query };
  const window = toWindow(request.window);
  const past: LogSummary[] = [];
  for (const baseline of request.baseline.map(toWindow)) {
    past.push(await reader.read(query, baseline, turn, "baseline"));
  }
  const startedMs = options.clock.nowMs();
  const read = await reader.read(query, window, turn, "window");
  const seconds = (options.clock.nowMs() - startedMs) / 1000;
  const current = await reader.current(read);
  const before = mergeSummaries(await Promise.all(past.map((one) => reader.current(one))));
  refuseSilence(current, before);
  await reader.keep();
  const { findings, notes } = detectLogs(current, before, options.rules, {
    redact: options.redact,
  });
  return reportOfLogs({
    window: windowToJson(window),
    baseline: request.baseline,
    current,
    findings,
    notes,
    seconds,
    link: (terms) => options.source.link?.(query, window, terms),
  });
}

/**
 * No line in a window is no answer. With none before it either, index or search is wrong; with some, the
 * logs are late or their way here is broken, and the source is asked again before it counts as failed.
 */
function refuseSilence(current: LogSummary, before: LogSummary | undefined): void {
  if (current.rows > 0) return;
  const usual = before?.rows ?? 0;
  if (usual > 0) {
    throw new PetrelError("INCOMPLETE", `no log line in the window, ${usual} in its baseline`);
  }
  const words = "no log line in the window or its baseline: check index and search";
  throw new PetrelError("CONFIG_INVALID", words);
}
