/** From a fact to the record that Kafka keeps: redacted, of bounded size, as a CloudEvent. */
import { BODIES_BUCKET } from "../a2a/mod.ts";
import type { Redactor } from "../core/mod.ts";
import type { KafkaRecord } from "./kafka/record.ts";
import type { Fact } from "./mirror/fact.ts";
import type { Encode } from "./records/encode.ts";
import { type AuditEvent, envelopeEvent, stubOf } from "./records/event.ts";
import { noticeEvent } from "./records/notice.ts";

/** A redacted body that is too large for a record, under its SHA-256 in hexadecimal. */
export interface Body {
  readonly sha256: string;
  readonly bytes: Uint8Array;
}

export interface Recorder {
  /** The record of a fact as leaf `leaf` of `tree`, and the body it refers to, if any. */
  record(
    fact: Fact,
    tree: string,
    leaf: number,
  ): { readonly record: KafkaRecord; readonly body?: Body };
}

export interface RecorderOptions {
  readonly redactor: Redactor;
  readonly encode: Encode;
  /** The body of a record whose value is longer is kept elsewhere. */
  readonly valueBytesMax: number;
}

const decoder = new TextDecoder();

export function makeRecorder({ redactor, encode, valueBytesMax }: RecorderOptions): Recorder {
  return {
    record: (fact, tree, leaf) => {
      const event = eventOf(fact, redactor);
      const record = encode(event, leaf, tree, fact.timeMs);
      if (record.value.length <= valueBytesMax || event.data === undefined) return { record };
      const bytes = Buffer.from(event.data);
      const sha256 = Bun.SHA256.hash(bytes, "hex");
      const dataref = `nats-object:${BODIES_BUCKET}/${sha256}`;
      const stub = stubOf(event, { dataref, sha256, bytes: bytes.length });
      return { record: encode(stub, leaf, tree, fact.timeMs), body: { sha256, bytes } };
    },
  };
}

function eventOf(fact: Fact, redactor: Redactor): AuditEvent {
  const redactionVersion = redactor.version;
  if (fact.kind === "envelope") {
    const { record, place, timeMs: atMs } = fact;
    const meta = withSafeId(record, redactor);
    const body = redactor.redactJson(record.body);
    return envelopeEvent({ meta, body, place, atMs, reportedBy: meta.side, redactionVersion });
  }
  if (fact.kind === "conflict") {
    const record = withSafeId(fact.record, redactor);
    const body = redactor.redactJson(record.body);
    return noticeEvent({ ...fact, record }, { redactionVersion, body });
  }
  if (fact.kind === "poison")
    return noticeEvent(fact, { redactionVersion, body: redactor.redact(decoder.decode(fact.raw)) });
  if (fact.kind === "unconfirmed" || fact.kind === "confirmed")
    return noticeEvent(withSafeId(fact, redactor), { redactionVersion });
  return noticeEvent(fact, { redactionVersion });
}

/** A peer chooses its envelopes' ids, and may choose a card's number. */
function withSafeId<T extends { readonly id: string }>(named: T, redactor: Redactor): T {
  const id = redactor.redact(named.id);
  return id === named.id ? named : { ...named, id };
}
