/**
 * `make kafka`: a broker in the foreground on 127.0.0.1, its data in `.tools/kafka-data`, until Ctrl-C.
 * `bun deploy/run-kafka.ts [PORT]`; what the broker warns of goes to standard error.
 */
import { join } from "node:path";
import { asPetrelError, PetrelError } from "../core/mod.ts";
import { startCluster } from "./kafka/cluster.ts";
import { isFree } from "./kafka/ports.ts";
import { localKafka } from "./kafka/runner.ts";
import { ensureProgram } from "./programs/ensure.ts";
import { makeProgressPrinter } from "./progress.ts";

const PORT_DEFAULT = "9092";
const TOOLS_DIR = join(import.meta.dir, "../.tools");
const DATA_DIR = join(TOOLS_DIR, "kafka-data");

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= 65_535) return port;
  throw new PetrelError("USAGE", `the port is "${text}"; it has to be a number from 1 to 65535`);
}

async function main(portText: string): Promise<void> {
  const port = parsePort(portText);
  const stop = new AbortController();
  for (const event of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(event, () => stop.abort());
  const printer = makeProgressPrinter(process.stderr);
  const program = await ensureProgram("kafka", {
    toolsDir: TOOLS_DIR,
    onProgress: printer.track(),
    signal: stop.signal,
  });
  printer.end();
  if (!(await isFree(port))) {
    throw new PetrelError(
      "CONFLICT",
      `port ${port} is taken; choose another: make kafka PORT=9095`,
    );
  }

  const startedMs = performance.now();
  const kafka = await startCluster({
    runner: localKafka(program),
    dir: DATA_DIR,
    port,
    signal: stop.signal,
    onLine: (line) => console.error(line),
  });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const address = kafka.brokers.join();
  console.log(`Kafka ${program.version} serves at ${address} after ${seconds} s. Ctrl-C stops it.`);
  console.log(`  data    ${DATA_DIR} (kept; remove it to begin anew)`);
  console.log(`  Petrel  kafka: { brokers: ["${address}"] }`);
  console.log(
    `  topics  .tools/kafka/kafka org.apache.kafka.tools.TopicCommand --bootstrap-server ${address} --list`,
  );

  const stopped = Promise.withResolvers<"stopped">();
  stop.signal.addEventListener("abort", () => stopped.resolve("stopped"), { once: true });
  if (stop.signal.aborted) stopped.resolve("stopped");
  const gone = Promise.all(kafka.nodes.map((node) => node.exited)).then(() => "gone" as const);
  const outcome = await Promise.race([stopped.promise, gone]);
  if (outcome === "gone") throw new PetrelError("UNAVAILABLE", "Kafka ended by itself, see above");
  await kafka.stop();
}

if (import.meta.main) {
  try {
    await main(process.argv[2] ?? PORT_DEFAULT);
  } catch (error) {
    const wrapped = asPetrelError(error, "INTERNAL", "make kafka");
    console.error(`error ${wrapped.code}: ${wrapped.message}`);
    process.exitCode = wrapped.exitCode;
  }
}
