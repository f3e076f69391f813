/** Streams for the mirror, made by hand: senders with counters, and a clock of the stream. */
import { type AuditRecord, packRecords } from "../../../a2a/mod.ts";
import type { AuditMessage } from "../../../bridge/reader.ts";

export const BEGIN_MS = 1_700_000_000_000;

/** A stream that messages are appended to. */
export class Stream {
  readonly messages: AuditMessage[] = [];
  nowMs = BEGIN_MS;
  #seq = 0;

  publish(subject: string, pack: string | undefined, data: Uint8Array): AuditMessage {
    const message = { seq: ++this.#seq, subject, pack, data, timeMs: this.nowMs };
    this.messages.push(message);
    return message;
  }

  /** Sequences that retention took. */
  skip(count: number): void {
    this.#seq += count;
  }
}

/** One outbox lane. */
export class Lane {
  readonly #stream: Stream;
  readonly reporter: string;
  readonly sender: string;
  pack = 0;
  reported = 0;
  lost = 0;

  constructor(stream: Stream, reporter: string, sender = `${reporter}-1`) {
    this.#stream = stream;
    this.reporter = reporter;
    this.sender = sender;
  }

  send(records: readonly AuditRecord[], kind: "open" | "beat" | "end" = "open"): AuditMessage {
    this.pack++;
    this.reported += records.length;
    return this.raw(packRecords(records), kind);
  }

  /** A pack with the counters as they stand. */
  raw(data: Uint8Array, kind = "open"): AuditMessage {
    const header = `1 ${this.sender} ${this.pack} ${this.reported} ${this.lost} ${kind}`;
    return this.#stream.publish(`audit.${this.reporter}.i1.0`, header, data);
  }
}

export function record(over: Partial<AuditRecord> & { readonly id: string }): AuditRecord {
  const body = over.body ?? `{"jsonrpc":"2.0","id":"${over.id}"}`;
  return {
    side: "caller",
    kind: "request",
    method: "SendMessage",
    caller: "sre",
    agent: "splunk",
    instance: "i1",
    atMs: BEGIN_MS,
    ...over,
    bytes: Buffer.byteLength(body),
    body,
  };
}
