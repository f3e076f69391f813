/**
 * What an administrator makes once on a server with accounts, as docs/nats.md has it: the log of tasks and
 * the buckets. Agents may use them and not make them.
 */
import { jetstream, StorageType } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/nats-core";
import { Objm } from "@nats-io/obj";
import { limits } from "../../core/mod.ts";

const DAY_MS = 86_400_000;
const NANOS_PER_MS = 1e6;

/** In days; 0 is for ever. */
const BUCKETS = {
  A2A_TASKS: 7,
  A2A_PUSH: 7,
  A2A_EXTERNAL: 0,
  PETREL_INVESTIGATIONS: 30,
  PETREL_INCIDENTS: 400,
};

/** Makes it all; `nc` may. */
export async function makeMeshStorage(nc: NatsConnection): Promise<void> {
  const js = jetstream(nc);
  const jsm = await js.jetstreamManager();
  await jsm.streams.add({
    name: "A2A_TASK_LOG",
    subjects: ["a2a.v1.task.*.*.*"],
    storage: StorageType.File,
    max_age: 7 * DAY_MS * NANOS_PER_MS,
    allow_direct: true,
  });
  const kvm = new Kvm(js);
  await kvm.create("A2A_CARDS", { ttl: limits.CARD_TTL_MS, history: 1 });
  for (const [bucket, days] of Object.entries(BUCKETS))
    await kvm.create(bucket, { ttl: days * DAY_MS, history: 1 });
  await new Objm(js).create("A2A_ARTIFACTS", { ttl: 7 * DAY_MS * NANOS_PER_MS });
}
