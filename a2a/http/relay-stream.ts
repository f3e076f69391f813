/**
 * A stream's way through the edge: frames in order, each once, held while the client reads slowly. What
 * is held is bounded; beyond it the stream ends, and the client comes back with the number of the last
 * event it saw. Ending early touches nothing on the other side.
 */
import type { Msg, NatsConnection, Subscription } from "@nats-io/nats-core";
import { type Clock, type Logger, limits, PetrelError } from "../../core/mod.ts";
import { textOrDigest } from "../body.ts";
import { violation } from "../frames.ts";
import { HEADER } from "../subjects.ts";
import { checkOrder, type RelayFrame, readFrame, type WireFrame } from "./frame.ts";
import { textOf } from "./rpc.ts";

/** Of one stream: what came from NATS and has not gone to the client. */
const HELD_BYTES_MAX = 2 * 1024 * 1024;
const HELD_FRAMES_MAX = 1_024;

export interface RelayStreamOptions {
  readonly nc: NatsConnection;
  readonly clock: Clock;
  readonly log: Logger;
  readonly agent: string;
  readonly envelopeId: string;
  readonly inbox: string;
  /** Milliseconds since the epoch. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Reports a frame to the audit; waits only while the outbox is full. */
  readonly report: (frame: RelayFrame) => Promise<void> | undefined;
}

export class RelayStream {
  readonly #options: RelayStreamOptions;
  readonly #subscription: Subscription;
  readonly #held: WireFrame[] = [];
  readonly #onAbort: () => void;
  #heldBytes = 0;
  #seq = 0;
  #heardMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failure: unknown;
  #isOver = false;
  #wake: () => void = () => {};

  /** Listens at once; whoever made it sends the request. */
  constructor(options: RelayStreamOptions) {
    this.#options = options;
    const { nc, clock, inbox, signal } = options;
    this.#subscription = nc.subscribe(inbox, {
      callback: (_error, message) => this.#take(message),
    });
    this.#onAbort = () => this.#end(signal?.reason);
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#heardMs = clock.nowMs();
    this.#watch();
    if (signal?.aborted) this.#onAbort();
  }

  /** True while the next frame is there already. */
  get isReady(): boolean {
    return this.#held.length > 0;
  }

  /**
   * The next frame, heartbeats included; undefined after `end`. An `error` frame is a frame, and the last.
   * Throws UNAVAILABLE, INCOMPLETE, DEADLINE_EXCEEDED, OVERLOADED (held too much), PROTOCOL_VIOLATION
   * (not UTF-8), or the signal's reason.
   */
  async next(): Promise<RelayFrame | undefined> {
    for (;;) {
      const frame = this.#held.shift();
      if (frame) return this.#pass(frame);
      if (this.#isOver) {
        if (this.#failure !== undefined) throw this.#failure;
        return undefined;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Leaves: the agent hears of it at its next heartbeat, its task never does. */
  close(): void {
    this.#held.length = 0;
    this.#end(undefined);
  }

  async #pass(frame: WireFrame): Promise<RelayFrame | undefined> {
    this.#heldBytes -= frame.bytes.length;
    if (frame.kind === "heartbeat") return { ...frame, text: "" };
    const text = textOf(frame.bytes);
    const passed = { ...frame, text: text ?? textOrDigest(frame.bytes) };
    const waiting = this.#options.report(passed);
    if (waiting) await waiting;
    if (text === undefined) {
      this.close();
      throw violation(this.#options.agent, "body", "not UTF-8");
    }
    return frame.kind === "end" ? undefined : passed;
  }

  #take(message: Msg): void {
    const { agent, inbox, envelopeId, log, clock } = this.#options;
    if (this.#isOver) return;
    // Delivered by a consumer aimed at our inbox, or an answer to somebody else's question.
    const isOurs =
      message.subject === inbox &&
      (message.headers?.code === 503 || message.headers?.get(HEADER.envelope) === envelopeId);
    if (!isOurs) {
      log.warn("rpc.forged", { agent, subject: message.subject.slice(0, 200) });
      return;
    }
    this.#heardMs = clock.nowMs();
    try {
      const frame = readFrame(message, agent);
      this.#seq = checkOrder(frame, this.#seq, agent);
      if (frame.kind === "result") throw violation(agent, HEADER.frame, "a unary answer");
      this.#hold(frame);
      if (frame.kind === "end" || frame.kind === "error") this.#end(undefined);
    } catch (error) {
      this.#end(error);
    }
  }

  #hold(frame: WireFrame): void {
    // A heartbeat says that the agent lives; frames that wait say more.
    if (frame.kind === "heartbeat" && this.#held.length > 0) return;
    this.#heldBytes += frame.bytes.length;
    this.#held.push(frame);
    if (this.#heldBytes > HELD_BYTES_MAX || this.#held.length > HELD_FRAMES_MAX) {
      this.#held.pop();
      throw new PetrelError("OVERLOADED", "the client reads too slowly", {
        limit: HELD_BYTES_MAX,
      });
    }
    this.#wake();
  }

  /** Fires when the agent has been silent for STREAM_IDLE_MS, or the deadline has passed. */
  #watch(): void {
    const { clock, deadlineMs, agent } = this.#options;
    const now = clock.nowMs();
    const idleMs = this.#heardMs + limits.STREAM_IDLE_MS - now;
    const leftMs = Math.min(idleMs, deadlineMs - now);
    if (leftMs > 0) {
      this.#timer = setTimeout(() => this.#watch(), leftMs);
    } else if (now >= deadlineMs) {
      const message = `agent "${agent}" did not finish in time`;
      this.#end(new PetrelError("DEADLINE_EXCEEDED", message, { agent }));
    } else {
      this.#end(new PetrelError("INCOMPLETE", `agent "${agent}" went silent`, { agent }));
    }
  }

  #end(failure: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = failure;
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#subscription.unsubscribe();
    this.#wake();
  }
}
