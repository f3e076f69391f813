/**
 * The agent a conformance kit asks: what it does is said by the beginning of the message's id, as the
 * kit's scenarios name them. Everything else (errors, streams, tasks) is what every agent here does.
 */
import type { AgentDefinition, Turn, TurnResult } from "../../a2a/mod.ts";
import { textPart } from "../../a2a/mod.ts";
import { systemClock } from "../../core/mod.ts";

/** Twice as long as the kit waits for an event of a stream. */
const LONG_MS = 4_000;
/** Between two events, so that a subscriber sees them apart. */
const STEP_MS = 20;

type Part = Parameters<Turn["attach"]>[1][number];
type Scenario = (turn: Turn) => Promise<TurnResult>;

const COMPLETED: TurnResult = { kind: "completed", text: "Hello from TCK" };
const FILE = { metadata: undefined, filename: "output.txt", mediaType: "text/plain" };

const bytesPart: Part = { ...FILE, content: { $case: "raw", value: Buffer.from("file content") } };
const urlPart: Part = {
  ...FILE,
  content: { $case: "url", value: "https://example.com/output.txt" },
};

/** By the beginning of the message's id; the longest that fits wins. */
const SCENARIOS: Readonly<Record<string, Scenario>> = {
  "tck-message-response": async () => ({ kind: "message", text: "Direct message response" }),
  "tck-input-required": async () => ({ kind: "input-required", text: "What else?" }),
  "tck-reject-task": async () => ({ kind: "rejected", text: "rejected" }),
  "tck-artifact-text": attaching([textPart("Generated text content")]),
  "tck-artifact-file": attaching([bytesPart]),
  "tck-artifact-file-url": attaching([urlPart]),
  "tck-artifact-data": async (turn) => {
    await turn.artifact("result", { key: "value", count: 42 });
    return COMPLETED;
  },
  "tck-stream-001": streaming([textPart("Stream hello from TCK")]),
  "tck-stream-003": streaming([textPart("Stream task lifecycle")]),
  "tck-stream-ordering-001": streaming([textPart("Ordered output")]),
  "tck-stream-artifact-text": streaming([textPart("Streamed text content")]),
  "tck-stream-artifact-file": streaming([bytesPart]),
  "tck-stream-artifact-chunked": async (turn) => {
    await turn.chunk("result", textPart("chunk-1 "));
    await systemClock.sleep(STEP_MS, turn.signal);
    await turn.chunk("result", textPart("chunk-2"), { last: true });
    return COMPLETED;
  },
  "test-resubscribe-message-id": async (turn) => {
    await systemClock.sleep(LONG_MS, turn.signal);
    return COMPLETED;
  },
};

export const tckAgent: AgentDefinition = {
  name: "tck",
  description: "Does what a conformance kit's scenarios say.",
  version: "1.0.0",
  skills: [
    {
      id: "conformance",
      name: "Conformance",
      description: "Acts out the scenario that the message's id names.",
      tags: ["conformance"],
    },
  ],
  extended: {
    description: "Does what a conformance kit's scenarios say, and says so to those it knows.",
    skills: [],
  },
  run: async (turn) => scenarioOf(turn.message.messageId)(turn),
};

function scenarioOf(messageId: string): Scenario {
  const fitting = Object.entries(SCENARIOS).filter(([prefix]) => messageId.startsWith(prefix));
  fitting.sort(([a], [b]) => b.length - a.length);
  return fitting[0]?.[1] ?? (async () => COMPLETED);
}

function attaching(parts: readonly Part[]): Scenario {
  return async (turn) => {
    await turn.attach("result", parts);
    return COMPLETED;
  };
}

/** As attaching, with time for a stream to show each step. */
function streaming(parts: readonly Part[]): Scenario {
  return async (turn) => {
    await systemClock.sleep(STEP_MS, turn.signal);
    await turn.attach("result", parts);
    await systemClock.sleep(STEP_MS, turn.signal);
    return COMPLETED;
  };
}
