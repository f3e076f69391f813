/**
 * The answer's way back: one frame for a unary call, numbered frames and heartbeats for a stream.
 * A stream is pulled to its end whether or not the client still listens; only sending stops.
 */

import { toJsonRpcError } from "@a2a-js/sdk/errors";
import { createInbox, type NatsConnection } from "@nats-io/nats-core";
import { type Clock, type Logger, limits, PetrelError } from "../core/mod.ts";
import { callRecord } from "./audit/call-record.ts";
import type { Outbox } from "./audit/outbox.ts";
import type { AuditRecord } from "./audit/record.ts";
import type { CallInfo } from "./call.ts";
import { toA2AError } from "./errors.ts";
import { headersOf } from "./headers.ts";
import { type Frame, HEADER, inboxPrefix, type Method } from "./subjects.ts";

export interface ReplierOptions {
  readonly nc: NatsConnection;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly log: Logger;
  readonly call: CallInfo;
  readonly method: Method;
  readonly agent: string;
  readonly instance: string;
  /** The client's inbox. */
  readonly to: string;
  /** Whether a skill was asked: whoever did learns who answers. */
  readonly isOfSkill: boolean;
  /** Told when nobody listens to the stream any more. */
  readonly onGone: () => void;
}

const FLUSH_EVERY_FRAMES = 64;

type RpcMessage = {
  readonly jsonrpc: string;
  readonly id: string | number | null;
  readonly error?: unknown;
};

export class Replier {
  rpcId: string | number | null = null;
  readonly #options: ReplierOptions;
  #seq = 0;
  #gone = false;

  constructor(options: ReplierOptions) {
    this.#options = options;
  }

  /** Reports the request as this end received it. */
  async received(body: string): Promise<void> {
    const { outbox, call } = this.#options;
    const record = this.#record("request", call.envelopeId, body, undefined);
    await outbox.report(record, call.shardKey);
  }

  /** In strict mode an answer that could not be stored in time is not sent, and named in the log. */
  async unary(answer: RpcMessage): Promise<void> {
    const body = boundedBody(answer);
    const frame = answer.error === undefined ? undefined : "error";
    if (await this.#admit("response", `${this.#options.call.envelopeId}.r`, body, frame)) {
      this.#send(frame ?? "result", body, undefined);
    }
  }

  /**
   * Sends every event and the end; false when the stream ended in an error. `numbers` says which of the
   * task's events the first frame holds; the others follow it without holes.
   */
  async stream(
    events: AsyncIterable<RpcMessage>,
    numbers: { readonly firstEvent?: number },
  ): Promise<boolean> {
    const { nc, agent } = this.#options;
    const inbox = createInbox(inboxPrefix(agent));
    const probe = nc.subscribe(inbox, {
      callback: (_error, message) => {
        if (message.subject === inbox && message.headers?.code === 503) this.#leave();
      },
    });
    const beat = setInterval(() => this.#heartbeat(inbox), limits.HEARTBEAT_MS);
    try {
      let nth = 0;
      for await (const event of events) {
        const { firstEvent } = numbers;
        const number = firstEvent === undefined ? undefined : firstEvent + nth++;
        if (this.#gone) break;
        await this.#frame("data", boundedBody(event), number);
        if (this.#seq % FLUSH_EVERY_FRAMES === 0) await this.#flushed();
      }
      await this.#frame("end", "");
      return true;
    } catch (error) {
      const envelope = {
        jsonrpc: "2.0",
        id: this.rpcId,
        error: toJsonRpcError(toA2AError(error)),
      } as const;
      await this.#frame("error", boundedBody(envelope));
      return false;
    } finally {
      clearInterval(beat);
      probe.unsubscribe();
    }
  }

  /** What waits in the connection is bounded: a task is faster than a network. */
  async #flushed(): Promise<void> {
    await this.#options.nc.flush().catch(() => {});
  }

  async #frame(frame: Frame, body: string, event?: number): Promise<void> {
    if (this.#gone) return;
    const seq = this.#seq + 1;
    const id = `${this.#options.call.envelopeId}.${seq}`;
    if (!(await this.#admit("frame", id, body, frame))) {
      // A stream with a hole is of no use; the task goes on, and its caller finds it with GetTask.
      this.#leave();
      return;
    }
    this.#seq = seq;
    this.#send(frame, body, seq, { event });
  }

  /** Stops sending, and lets go of what the stream was read from. The task goes on. */
  #leave(): void {
    this.#gone = true;
    this.#options.onGone();
  }

  /** Repeats the last number, so that a lost tail is noticed; a 503 on `probe` means nobody listens. */
  #heartbeat(probe: string): void {
    if (this.#gone) return;
    try {
      this.#send("heartbeat", "", this.#seq, { reply: probe });
    } catch {
      // The connection is closed: there is nobody left to tell.
      this.#leave();
    }
  }

  #send(
    frame: Frame,
    body: string,
    seq: number | undefined,
    more: { readonly reply?: string; readonly event?: number | undefined } = {},
  ): void {
    const { reply, event } = more;
    const headers = headersOf({
      [HEADER.frame]: frame,
      [HEADER.envelope]: this.#options.call.envelopeId,
      [HEADER.seq]: seq === undefined ? undefined : String(seq),
      [HEADER.event]: event === undefined ? undefined : String(event),
      [HEADER.agent]: this.#options.isOfSkill ? this.#options.agent : undefined,
    });
    this.#options.nc.publish(this.#options.to, body, reply ? { headers, reply } : { headers });
  }

  /** Reports what is about to be sent. False, in strict mode, when it could not be stored in time. */
  async #admit(
    kind: "response" | "frame",
    id: string,
    body: string,
    frame: string | undefined,
  ): Promise<boolean> {
    const { outbox, call, log } = this.#options;
    try {
      const record = this.#record(kind, id, body, frame);
      await outbox.reportBefore(record, call.deadlineMs, call.shardKey);
      return true;
    } catch (error) {
      if (!(error instanceof PetrelError && error.code === "OVERLOADED")) throw error;
      log.error("rpc.not_stored", { id, error });
      return false;
    }
  }

  #record(
    kind: AuditRecord["kind"],
    id: string,
    body: string,
    frame: string | undefined,
  ): AuditRecord {
    const { call, method, agent, instance, clock } = this.#options;
    const { caller, trace } = call;
    const end = { side: "agent", caller, agent, instance, clock, method, trace } as const;
    return callRecord(end, { kind, id, body, frame });
  }
}

/** The message as JSON, or the error that says it was too large to send. */
function boundedBody(message: RpcMessage): string {
  const body = JSON.stringify(message);
  const bytes = Buffer.byteLength(body);
  if (bytes <= limits.ENVELOPE_BYTES_MAX) return body;
  const error = new PetrelError("TOO_LARGE", `the response has ${bytes} bytes`, {
    limit: limits.ENVELOPE_BYTES_MAX,
  });
  return JSON.stringify({
    jsonrpc: "2.0",
    id: message.id,
    error: toJsonRpcError(toA2AError(error)),
  });
}
