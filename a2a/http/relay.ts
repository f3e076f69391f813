/**
 * Carries a JSON-RPC body from HTTP to an agent over the NATS binding, byte for byte, and its answer
 * back. Both are reported to the audit outbox under the envelope's id, as every caller reports them
 * (docs/binding-nats.md). It never parses an answer.
 */
import type { MsgHdrs, NatsConnection } from "@nats-io/nats-core";
import {
  type Clock,
  formatTraceparent,
  type Logger,
  limits,
  newId,
  PetrelError,
  type TraceContext,
} from "../../core/mod.ts";
import { callRecord } from "../audit/call-record.ts";
import type { Outbox } from "../audit/outbox.ts";
import type { AuditRecord } from "../audit/record.ts";
import { textOrDigest } from "../body.ts";
import { shardKeyOf } from "../call.ts";
import { violation } from "../frames.ts";
import { headersOf } from "../headers.ts";
import { A2A_VERSION, HEADER, inboxPrefix, type Method, rpcSubject } from "../subjects.ts";
import { type RelayFrame, readFrame } from "./frame.ts";
import { RelayStream } from "./relay-stream.ts";
import { ReplyBox } from "./reply-box.ts";
import { textOf } from "./rpc.ts";

export interface RelayOptions {
  readonly nc: NatsConnection;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly log: Logger;
  /** The gateway's own name: the caller in the subject, the reporter in the audit. */
  readonly caller: string;
  readonly instance: string;
}

/** One call as the edge passes it on. */
export interface RelayCall {
  readonly agent: string;
  readonly method: Method;
  /** The JSON-RPC request, as bytes and as the same text. */
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly params: unknown;
  /** How long the gateway waits for the whole answer, in milliseconds. */
  readonly timeoutMs: number;
  /** How long the agent may take; the same, unless the client looks for the result later. */
  readonly workMs?: number;
  readonly trace: TraceContext;
  readonly extensions?: string | undefined;
  /** Number of the last event of the task that the client has seen. */
  readonly cursor?: number | undefined;
  readonly principal?: string | undefined;
  readonly scopes?: string | undefined;
  /** Aborts when the client leaves. */
  readonly signal?: AbortSignal | undefined;
  /** Minted here when the body does not need to know it. */
  readonly envelopeId?: string;
}

interface Sent {
  readonly call: RelayCall;
  readonly envelopeId: string;
  readonly deadlineMs: number;
  readonly shardKey: string | undefined;
}

export class Relay {
  readonly #options: RelayOptions;
  readonly #replies: ReplyBox;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#replies = new ReplyBox(options.nc, options.caller, options.log);
  }

  /** How many unary answers are waited for. */
  get waiting(): number {
    return this.#replies.waiting;
  }

  /**
   * Asks, and gives the one frame of the answer: `result` or `error`. Throws UNAVAILABLE (nobody there),
   * DEADLINE_EXCEEDED, OVERLOADED (strict audit), PROTOCOL_VIOLATION, or the signal's reason.
   */
  async unary(call: RelayCall): Promise<RelayFrame> {
    const { agent, method, bytes, signal } = call;
    const sent = await this.#admit(call);
    signal?.throwIfAborted();
    const message = await this.#replies.ask({
      agent,
      subject: rpcSubject(agent, this.#options.caller, method),
      body: bytes,
      headers: this.#headers(sent),
      envelopeId: sent.envelopeId,
      timeoutMs: Math.max(1, sent.deadlineMs - this.#options.clock.nowMs()),
      signal,
    });
    // As every caller does: the server's word that nobody is there is no envelope.
    if (message.headers?.code !== 503) {
      const kind = message.headers?.get(HEADER.frame) === "error" ? "error" : undefined;
      const id = `${sent.envelopeId}.r`;
      const waiting = this.#report(sent, "response", id, textOrDigest(message.data), kind);
      if (waiting) await waiting;
    }
    const frame = readFrame(message, agent);
    const text = textOf(frame.bytes);
    if (text === undefined) throw violation(agent, "body", "not UTF-8");
    if (frame.kind === "result" || frame.kind === "error") return { ...frame, text };
    throw violation(agent, HEADER.frame, "a stream's");
  }

  /** Asks, and gives the stream of the answer. Throws OVERLOADED (strict audit), or as {@link unary}. */
  async stream(call: RelayCall): Promise<RelayStream> {
    const { nc, clock, log, caller } = this.#options;
    const { agent, method, bytes, signal } = call;
    const sent = await this.#admit(call);
    signal?.throwIfAborted();
    const { envelopeId, deadlineMs } = sent;
    const inbox = `${inboxPrefix(caller)}.${crypto.randomUUID()}`;
    const report = (frame: RelayFrame) => this.#reportFrame(sent, frame);
    const parts = { nc, clock, log, agent, envelopeId, inbox, deadlineMs, signal, report };
    const stream = new RelayStream(parts);
    try {
      const subject = rpcSubject(agent, caller, method);
      nc.publish(subject, bytes, { headers: this.#headers(sent), reply: inbox });
      return stream;
    } catch (error) {
      stream.close();
      throw new PetrelError("UNAVAILABLE", "nats is not connected", {}, error);
    }
  }

  close(): void {
    this.#replies.close();
  }

  /** Reports the request, which may leave when this resolves. */
  async #admit(call: RelayCall): Promise<Sent> {
    const { outbox, clock } = this.#options;
    if (call.bytes.length > limits.ENVELOPE_BYTES_MAX) {
      throw new PetrelError("TOO_LARGE", `${call.method}: the request is too large`, {
        limit: limits.ENVELOPE_BYTES_MAX,
      });
    }
    const shardKey =
      outbox.shards === 1 ? undefined : (shardKeyOf(call.params) ?? call.trace.traceId);
    const envelopeId = call.envelopeId ?? newId();
    const deadlineMs = clock.nowMs() + call.timeoutMs;
    const sent = { call, envelopeId, deadlineMs, shardKey };
    const record = this.#record(sent, "request", envelopeId, call.text, undefined);
    const waiting = outbox.reportBefore(record, deadlineMs, shardKey);
    if (waiting) await waiting;
    return sent;
  }

  #headers({ call, envelopeId, deadlineMs, shardKey }: Sent): MsgHdrs {
    const leftMs = call.workMs ?? deadlineMs - this.#options.clock.nowMs();
    return headersOf({
      [HEADER.version]: A2A_VERSION,
      [HEADER.envelope]: envelopeId,
      [HEADER.timeout]: String(Math.max(1, Math.round(leftMs))),
      [HEADER.traceparent]: formatTraceparent(call.trace),
      [HEADER.shard]: shardKey,
      [HEADER.extensions]: call.extensions,
      [HEADER.onBehalf]: call.principal,
      [HEADER.scopes]: call.scopes,
      [HEADER.cursor]: call.cursor === undefined ? undefined : String(call.cursor),
    });
  }

  #reportFrame(sent: Sent, { kind, seq, text }: RelayFrame): Promise<void> | undefined {
    const { envelopeId } = sent;
    if (seq === undefined) return this.#report(sent, "response", `${envelopeId}.r`, text, kind);
    return this.#report(sent, "frame", `${envelopeId}.${seq}`, text, kind);
  }

  #report(
    sent: Sent,
    kind: "response" | "frame",
    id: string,
    body: string,
    frame: string | undefined,
  ): Promise<void> | undefined {
    return this.#options.outbox.report(this.#record(sent, kind, id, body, frame), sent.shardKey);
  }

  #record(
    { call }: Sent,
    kind: AuditRecord["kind"],
    id: string,
    body: string,
    frame: string | undefined,
  ): AuditRecord {
    const { agent, method, trace } = call;
    const end = { side: "caller", ...this.#options, agent, method, trace } as const;
    return callRecord(end, { kind, id, body, frame });
  }
}
