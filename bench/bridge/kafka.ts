/** A real Kafka of one node for a case: its own ports and data, nothing left behind. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureProgram, localKafka, startKafka } from "../../deploy/mod.ts";
import type { BenchContext } from "../run.ts";

const TOOLS_DIR = join(import.meta.dir, "../../.tools");

/** As a broker that lives long has it; the launcher's own flags are for one that starts fast. */
const JAVA_FLAGS = ["-XX:TieredStopAtLevel=4", "-Xmx1g"];

export interface BenchKafka extends AsyncDisposable {
  readonly brokers: readonly string[];
}

/** Starts a broker; fetches Kafka first where it is missing. Throws PROGRAM_MISSING without a Java. */
export async function startBroker({ signal, onProgress }: BenchContext): Promise<BenchKafka> {
  const program = await ensureProgram("kafka", {
    toolsDir: TOOLS_DIR,
    signal,
    onProgress: (_kind, text) => onProgress(text),
  });
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "petrel-bench-kafka-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const { brokers, nodes } = await startKafka({
    runner: localKafka(program, JAVA_FLAGS),
    dir,
    signal,
  });
  // What it holds is not kept, so nothing has to be ended in order.
  stack.defer(async () => void (await Promise.all(nodes.map((node) => node.kill9()))));
  const owned = stack.move();
  return { brokers, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
