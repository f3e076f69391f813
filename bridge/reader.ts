/**
 * Reads the AUDIT stream in order, from a place, to its present end or for ever. A pack that cannot be
 * unpacked is handed on as what it is, with its sequence number; nothing is skipped in silence.
 */
import { edenGC } from "bun:jsc";
import {
  type ConsumerMessages,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
} from "@nats-io/jetstream";
import { AUDIT_STREAM, type AuditRecord, PACK_HEADER, unpack } from "../a2a/mod.ts";
import { PetrelError } from "../core/mod.ts";

/** One message of the stream: a pack, or what somebody published instead of one. */
export interface AuditMessage {
  readonly seq: number;
  readonly subject: string;
  /** When JetStream stored it: milliseconds since the epoch. */
  readonly timeMs: number;
  /** The pack header's text, unparsed. */
  readonly pack: string | undefined;
  readonly data: Uint8Array;
}

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
  /** Last sequence to read; default: the stream's last when reading began. Not with `follow`. */
  readonly toSeq?: number;
  /** Only subjects that match, such as `audit.*.*.3`. */
  readonly filter?: string;
  /** Goes on with what arrives later, until `signal` aborts. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/** Bytes asked of the server ahead of the reader. */
const READ_AHEAD_BYTES = 2 * 1024 * 1024;
/**
 * The client puts a message together in buffers that double, and what is read becomes garbage at once; left
 * alone it grows to several hundred megabytes before it is collected. A reader in a hurry collects it itself:
 * what is young often, for that takes a fifth of the time, and the rest every so many times.
 */
const COLLECT_EVERY_BYTES = 4 * 1024 * 1024;
const COLLECT_ALL_EVERY = 4;
/** What a message leaves beside its data. */
const MESSAGE_BYTES = 2_048;

/** The stream's messages. Throws INCOMPLETE when the stream goes while it is read. */
export async function* readMessages(
  options: ReadOptions,
): AsyncGenerator<AuditMessage, void, undefined> {
  const { js, jsm, follow, filter, signal } = options;
  const { state } = await jsm.streams.info(AUDIT_STREAM);
  const from = Math.max(options.fromSeq ?? 1, state.first_seq, 1);
  const last = Math.min(options.toSeq ?? state.last_seq, state.last_seq);
  if (!follow && from > last) return;
  const consumer = await js.consumers.get(AUDIT_STREAM, {
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: from,
    ...(filter === undefined ? {} : { filter_subjects: filter }),
  });
  // With a filter the last sequence may never come: what is pending tells the end.
  if (!follow && (await consumer.info()).num_pending === 0) return;
  const messages = await consumer.consume({
    max_bytes: READ_AHEAD_BYTES,
    threshold_bytes: READ_AHEAD_BYTES / 2,
    // Of the hundred messages that the client never asks for more than: half as many requests for small ones.
    threshold_messages: 50,
  });
  const stop = () => void messages.close();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  void stopWhenDeleted(messages, jsm);
  const collect = collector();
  try {
    for await (const message of messages) {
      const { seq, subject, data } = message;
      if (!follow && seq > last) return;
      collect(data.length + MESSAGE_BYTES);
      yield {
        seq,
        subject,
        data,
        pack: message.headers?.get(PACK_HEADER),
        timeMs: message.time.getTime(),
      };
      if (!follow && (seq >= last || message.info.pending === 0)) return;
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

/** Told how many bytes were read, it collects garbage when it is time. */
function collector(): (bytes: number) => void {
  let uncollected = 0;
  let collections = 0;
  return (bytes) => {
    uncollected += bytes;
    if (uncollected <= COLLECT_EVERY_BYTES) return;
    uncollected = 0;
    if (++collections % COLLECT_ALL_EVERY === 0) Bun.gc(true);
    else edenGC();
  };
}

/** Every report in the stream, in order. */
export async function* readAudit(
  options: ReadOptions,
): AsyncGenerator<AuditEntry, void, undefined> {
  for await (const { seq, subject, data } of readMessages(options)) {
    const { records, malformed } = unpack(data);
    for (const [index, record] of records.entries()) yield { kind: "record", seq, index, record };
    if (malformed) yield { kind: "malformed", seq, subject, reason: malformed.place };
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
