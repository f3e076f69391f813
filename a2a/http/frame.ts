/**
 * One frame of an answer as it came over NATS: its kind, its number, its bytes. Checked like every peer's
 * bytes, never parsed (docs/binding-nats.md, "Streams").
 */
import type { Msg } from "@nats-io/nats-core";
import { limits, PetrelError } from "../../core/mod.ts";
import { violation } from "../frames.ts";
import { FRAMES, type Frame, HEADER } from "../subjects.ts";

export interface WireFrame {
  readonly kind: Frame;
  /** Undefined in a unary answer, and in the refusal of a stream. */
  readonly seq: number | undefined;
  readonly bytes: Uint8Array;
  /** Number of the task's event in it. */
  readonly event: number | undefined;
  /** Extensions that the agent activated, as its header says them. */
  readonly extensions: string | undefined;
}

/** A frame with its body as text. */
export interface RelayFrame extends WireFrame {
  readonly text: string;
}

const NUMBER = /^\d{1,15}$/;
const EXTENSIONS_BYTES_MAX = 2_000;

/** Throws UNAVAILABLE when nobody was there, PROTOCOL_VIOLATION for what is no frame. */
export function readFrame(message: Msg, agent: string): WireFrame {
  const { headers } = message;
  if (headers?.code === 503) {
    throw new PetrelError("UNAVAILABLE", `agent "${agent}" is not there`, { agent });
  }
  const said = headers?.get(HEADER.frame);
  const kind = FRAMES.find((frame) => frame === said);
  if (!kind) throw violation(agent, HEADER.frame, "unknown frame");
  if (message.data.length > limits.ENVELOPE_BYTES_MAX) {
    throw violation(agent, "body", `more than ${limits.ENVELOPE_BYTES_MAX} bytes`);
  }
  const extensions = headers?.get(HEADER.extensions) ?? "";
  return {
    kind,
    seq: numberIn(headers?.get(HEADER.seq), HEADER.seq, agent),
    bytes: message.data,
    event: numberIn(headers?.get(HEADER.event), HEADER.event, agent),
    extensions: extensions.length <= EXTENSIONS_BYTES_MAX ? extensions || undefined : undefined,
  };
}

/**
 * The number the stream has reached with this frame. Throws INCOMPLETE when one before it is missing: a
 * heartbeat repeats the last number, so that a lost tail is noticed.
 */
export function checkOrder(frame: WireFrame, seq: number, agent: string): number {
  if (frame.seq === undefined) {
    // Refused before a stream began; nothing else may come without a number.
    if (frame.kind === "error" && seq === 0) return 0;
    throw violation(agent, HEADER.seq, "missing");
  }
  const expected = frame.kind === "heartbeat" ? seq : seq + 1;
  if (frame.seq === expected) return frame.seq;
  throw new PetrelError("INCOMPLETE", `agent "${agent}": frame ${expected} is missing`, {
    agent,
    place: `frame ${expected}`,
  });
}

function numberIn(text: string | undefined, place: string, agent: string): number | undefined {
  if (!text) return undefined;
  if (!NUMBER.test(text)) throw violation(agent, place, "not a number");
  return Number(text);
}
