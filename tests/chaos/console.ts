/** Java's own consumer, as an independent reader: it shares no code with us. */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { topicsOf } from "../../bridge/mod.ts";
import { programForTests } from "../support/runtime.ts";
import { TOPICS, type World } from "./world.ts";

type Isolation = "read_committed" | "read_uncommitted";

/** It ends when nothing came for so long; on a busy machine too early, then it is asked more patiently. */
const QUIET_MS = [4_000, 15_000, 45_000];

/** Records it reads in all topics of records; asks again when there are fewer than `expected`. */
export async function consoleCount(
  world: World,
  isolation: Isolation,
  expected: number,
): Promise<number> {
  let records = 0;
  for (const quietMs of QUIET_MS) {
    records = await countOnce(world, isolation, quietMs);
    if (records >= expected) break;
  }
  return records;
}

async function countOnce({ kafka }: World, isolation: Isolation, quietMs: number): Promise<number> {
  const { path } = await programForTests("kafka");
  const topics = topicsOf(TOPICS).join("|").replaceAll(".", "\\.");
  const read = ["--include", topics, "--from-beginning", "--timeout-ms", String(quietMs)];
  const shown = ["--property", "print.value=false", "--property", "print.offset=true"];
  const consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
  const from = ["--bootstrap-server", kafka.brokers.join()];
  const isolated = ["--consumer-property", `isolation.level=${isolation}`];
  const child = Bun.spawn([path, consumer, ...from, ...isolated, ...read, ...shown], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  let records = 0;
  for await (const line of createInterface({ input: Readable.fromWeb(child.stdout) }))
    if (line.includes("Offset:")) records++;
  await child.exited;
  return records;
}
