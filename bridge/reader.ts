/**
 * Reads the AUDIT stream in order, from a place, to its present end or for ever. A pack that cannot be
 * unpacked is handed on as what it is, with its sequence number; nothing is skipped in silence.
 */
import {
  type ConsumerMessages,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
} from "@nats-io/jetstream";
import { AUDIT_STREAM, type AuditRecord, unpackRecords } from "../a2a/mod.ts";
import { messageOf, PetrelError } from "../core/mod.ts";

/** One report with its place: (stream sequence, index in its pack). */
export type AuditEntry =
  | {
      readonly kind: "record";
      readonly seq: number;
      readonly index: number;
      readonly record: AuditRecord;
    }
  | {
      readonly kind: "malformed";
      readonly seq: number;
      readonly subject: string;
      readonly reason: string;
    };

export interface ReadOptions {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /** First sequence to read; default: the stream's first. */
  readonly fromSeq?: number;
  /** Goes on with what arrives later, until `signal` aborts. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

export async function* readAudit(
  options: ReadOptions,
): AsyncGenerator<AuditEntry, void, undefined> {
  const { js, jsm, follow, signal } = options;
  const { state } = await jsm.streams.info(AUDIT_STREAM);
  const from = Math.max(options.fromSeq ?? 1, state.first_seq, 1);
  const last = state.last_seq;
  if (!follow && from > last) return;
  const consumer = await js.consumers.get(AUDIT_STREAM, {
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: from,
  });
  const messages = await consumer.consume();
  const stop = () => void messages.close();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  void stopWhenDeleted(messages, jsm);
  try {
    for await (const message of messages) {
      yield* entriesOf(message.seq, message.subject, message.data);
      if (!follow && message.seq >= last) return;
      if (signal.aborted) break;
    }
    // A part must not pass for the whole.
    if (!follow) signal.throwIfAborted();
    if (!signal.aborted) throw new PetrelError("INCOMPLETE", "audit: reading the stream was cut");
  } finally {
    signal.removeEventListener("abort", stop);
    await messages.close();
  }
}

/** A stream that was deleted is not waited for; a server that is away is. */
async function stopWhenDeleted(messages: ConsumerMessages, jsm: JetStreamManager): Promise<void> {
  for await (const { type } of messages.status()) {
    if (!["consumer_deleted", "heartbeats_missed", "no_responders"].includes(type)) continue;
    const gone = await jsm.streams.info(AUDIT_STREAM).then(
      () => false,
      (error: unknown) =>
        error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound,
    );
    if (gone) await messages.close();
  }
}

function entriesOf(seq: number, subject: string, data: Uint8Array): AuditEntry[] {
  try {
    return unpackRecords(data).map((record, index) => ({ kind: "record", seq, index, record }));
  } catch (error) {
    return [{ kind: "malformed", seq, subject, reason: messageOf(error) }];
  }
}
