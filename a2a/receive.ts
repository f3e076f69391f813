/**
 * A stream's way in: frames in order, each once. A gap, a silence longer than STREAM_IDLE_MS, a
 * vanished agent or the deadline ends it with an error that says which; ending early touches nothing
 * on the other side.
 */
import { StreamResponse } from "@a2a-js/sdk";
import { createInbox, type Msg, type NatsConnection } from "@nats-io/nats-core";
import { type Clock, type Logger, limits, PetrelError } from "../core/mod.ts";
import { textOrDigest } from "./body.ts";
import { type Call, requestHeaders } from "./call.ts";
import { fromErrorEnvelope } from "./errors.ts";
import { readEnvelope, violation } from "./frames.ts";
import { FRAMES, type Frame, HEADER, inboxPrefix } from "./subjects.ts";

export interface ReceiveOptions {
  readonly nc: NatsConnection;
  readonly clock: Clock;
  readonly log: Logger;
  readonly caller: string;
  readonly agent: string;
  /** Where the request goes. */
  readonly subject: string;
  /** Told which agent answers, where a skill was asked. */
  readonly onAgent?: (agent: string) => void;
  readonly call: Call;
  readonly body: string;
  readonly signal?: AbortSignal;
  /** Reports the request; it may leave when this resolves. */
  readonly admit: (body: string) => Promise<void> | undefined;
  /** Reports what came in. */
  readonly report: (
    kind: "response" | "frame",
    id: string,
    body: string,
    frame: string,
  ) => Promise<void> | undefined;
}

/** Frames that wait for a slow reader; with more it goes on later, by its cursor. */
const PENDING_FRAMES_MAX = 8_192;

/** What one frame held; a plain answer is no event of a task and has no number. */
export interface Received {
  readonly response: StreamResponse;
  readonly event: number | undefined;
}

/** Sends the request and yields the events of its answer until `end`. */
export async function* receiveStream(
  options: ReceiveOptions,
): AsyncGenerator<Received, void, undefined> {
  const { nc, call, agent, caller, body, signal, admit, report, clock, log } = options;
  signal?.throwIfAborted();
  const inbox = createInbox(inboxPrefix(caller));
  const sub = nc.subscribe(inbox);
  const watch = new Watchdog(options, () => sub.unsubscribe());
  try {
    await admit(body);
    const timeoutMs = call.deadlineMs - clock.nowMs();
    nc.publish(options.subject, body, {
      headers: requestHeaders({ ...call, timeoutMs }),
      reply: inbox,
    });
    let seq = 0;
    for await (const message of sub) {
      // Delivered here by a consumer that somebody aimed at our inbox: an answer bears the inbox's subject.
      if (message.subject !== inbox) {
        log.warn("rpc.forged", { agent, subject: message.subject.slice(0, 200) });
        continue;
      }
      watch.heard();
      if (sub.getPending() > PENDING_FRAMES_MAX) {
        throw new PetrelError("INCOMPLETE", `agent "${agent}": its stream is read too slowly`, {
          agent,
          limit: PENDING_FRAMES_MAX,
        });
      }
      options.onAgent?.(message.headers?.get(HEADER.agent) ?? "");
      const frame = readFrame(message, seq, agent);
      if (frame.kind === "heartbeat") continue;
      seq = frame.seq;
      const text = textOrDigest(message.data);
      if (seq === 0) await report("response", `${call.envelopeId}.r`, text, frame.kind);
      else await report("frame", `${call.envelopeId}.${seq}`, text, frame.kind);
      if (frame.kind === "end") return;
      const envelope = readEnvelope(text, call.envelopeId, agent);
      if (envelope.error) throw fromErrorEnvelope({ id: envelope.id, error: envelope.error });
      yield { response: StreamResponse.fromJSON(envelope.result), event: frame.event };
    }
    throw (
      watch.reason ??
      new PetrelError("INCOMPLETE", `agent "${agent}": the stream was cut`, { agent, seq })
    );
  } finally {
    watch.stop();
    sub.unsubscribe();
  }
}

/** Ends a stream that went silent, passed its deadline, or that the caller gave up. */
class Watchdog {
  reason: unknown;
  readonly #options: ReceiveOptions;
  readonly #end: () => void;
  readonly #onAbort: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ReceiveOptions, end: () => void) {
    this.#options = options;
    this.#end = end;
    this.#onAbort = () => this.#stopWith(options.signal?.reason);
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.heard();
  }

  /** A frame came: the silence starts anew, the deadline does not. */
  heard(): void {
    clearTimeout(this.#timer);
    const { agent, call, clock } = this.#options;
    const leftMs = call.deadlineMs - clock.nowMs();
    const late = leftMs <= limits.STREAM_IDLE_MS;
    const error = late
      ? new PetrelError("DEADLINE_EXCEEDED", `agent "${agent}" did not finish in time`, { agent })
      : new PetrelError("INCOMPLETE", `agent "${agent}" went silent`, {
          agent,
          idleMs: limits.STREAM_IDLE_MS,
        });
    this.#timer = setTimeout(
      () => this.#stopWith(error),
      Math.max(0, late ? leftMs : limits.STREAM_IDLE_MS),
    );
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
  }

  #stopWith(reason: unknown): void {
    this.reason = reason;
    this.#end();
  }
}

function readFrame(
  message: Msg,
  seq: number,
  agent: string,
): { kind: Frame; seq: number; event: number | undefined } {
  if (message.headers?.code === 503) {
    throw new PetrelError("UNAVAILABLE", `agent "${agent}" is not there`, { agent });
  }
  const kind = FRAMES.find((frame) => frame === message.headers?.get(HEADER.frame));
  if (!kind) throw violation(agent, HEADER.frame, "unknown frame");
  const said = message.headers?.get(HEADER.seq);
  const event = Number(message.headers?.get(HEADER.event) || Number.NaN);
  const numbered = { kind, event: Number.isSafeInteger(event) && event > 0 ? event : undefined };
  if (!said) return { ...numbered, seq: 0 };
  const next = Number(said);
  const expected = kind === "heartbeat" ? seq : seq + 1;
  if (next !== expected) {
    throw new PetrelError("INCOMPLETE", `agent "${agent}": frame ${expected} is missing`, {
      agent,
      place: `frame ${expected}`,
    });
  }
  return { ...numbered, seq: next };
}
