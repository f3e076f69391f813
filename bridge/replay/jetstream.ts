/**
 * The trail from JetStream: mirrored, redacted and written as the bridge does it, then read back as an
 * auditor reads Kafka. So it says the same, as far as the stream reaches back.
 */
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { AUDIT_STREAM } from "../../a2a/mod.ts";
import type { KafkaRecord } from "../kafka/record.ts";
import type { Fact } from "../mirror/fact.ts";
import { Mirror, type MirrorOptions } from "../mirror/mirror.ts";
import { readMessages } from "../reader.ts";
import type { Body, Recorder } from "../recorder.ts";
import { decodeRecord } from "../records/decode.ts";
import { placeInStream, type TrailEntry, type Unreadable } from "./entry.ts";

export interface JetStreamTrail {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly recorder: Recorder;
  readonly mirror: MirrorOptions;
  readonly signal: AbortSignal;
}

/** Names the tree of records that are in none. */
const NO_TREE = `${AUDIT_STREAM}.replay`;

/** The records that the stream gives from its first message to its present end, in its order. */
export async function* readJetStream(
  options: JetStreamTrail,
): AsyncGenerator<TrailEntry | Unreadable, void, undefined> {
  const { js, jsm, recorder, signal } = options;
  const { state } = await jsm.streams.info(AUDIT_STREAM);
  const mirror = new Mirror(
    { ...options.mirror, isWhole: true },
    { nextSeq: Math.max(1, state.first_seq) },
  );
  for await (const message of readMessages({ js, jsm, follow: false, signal })) {
    for (const fact of mirror.accept(message)) yield entryOf(fact, recorder);
  }
}

function entryOf(fact: Fact, recorder: Recorder): TrailEntry | Unreadable {
  const { record, body } = recorder.record(fact, NO_TREE, 0);
  const { seq, index } = fact.place;
  const { event } = decodeRecord(asRead(record));
  return { seq, index, ...placeInStream(event.id), event: withBody(event, body) };
}

function asRead(record: KafkaRecord) {
  return { ...record, partition: 0, offset: 0 };
}

/** A body that was put aside is at hand here. */
function withBody(event: TrailEntry["event"], body: Body | undefined): TrailEntry["event"] {
  return body ? { ...event, data: Buffer.from(body.bytes).toString("utf8") } : event;
}
