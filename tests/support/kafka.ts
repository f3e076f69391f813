/**
 * A real Kafka for a test: its own ports and data, gone at the end of the block.
 *
 *     await using kafka = await startKafka();
 *     await kafka.createTopics([{ topic: "audit", partitions: 3 }]);
 *     const client = new Kafka({ brokers: [...kafka.brokers] });
 *
 * A broker takes seconds to start and half a gigabyte, so that most tests share one: {@link sharedKafka}.
 * Java is not on every machine: a file of such tests begins with `const test = await testWithKafka();`.
 */
import { test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Admin, Kafka, logLevel } from "kafkajs";
import { messageOf, PetrelError } from "../../core/mod.ts";
import {
  type KafkaCluster,
  type KafkaNode,
  type KafkaOptions,
  type KafkaRunner,
  localKafka,
  lookForJava,
  startKafka as startCluster,
} from "../../deploy/mod.ts";
import { IMAGES } from "./containers.ts";
import { kafkaInContainers } from "./kafka-container.ts";
import { programForTests, testRuntime } from "./runtime.ts";
import { until } from "./until.ts";

const ATTEMPTS_MAX = 5;
const JAVA_MIN = 17;

export type KafkaTestOptions = Pick<
  KafkaOptions,
  "nodes" | "listeners" | "extraProperties" | "formatArguments"
> & {
  /** More flags of the brokers' JVM, such as `-Xmx1g`. */
  readonly javaFlags?: readonly string[];
};

export interface TopicSpec {
  readonly topic: string;
  /** Default 1. */
  readonly partitions?: number;
  /** Default: as many as there are nodes. */
  readonly replicas?: number;
  /** Of the topic, such as `{ "max.message.bytes": "2000" }`. */
  readonly config?: Readonly<Record<string, string>>;
}

export interface KafkaServer extends AsyncDisposable {
  /** Bootstrap addresses, `127.0.0.1:<port>`; the same over restarts. Anonymous, without TLS. */
  readonly brokers: readonly string[];
  readonly nodes: readonly KafkaNode[];
  readonly version: string;
  /** Bootstrap addresses of a listener of {@link KafkaTestOptions.listeners}. */
  brokersOf(listener: string): readonly string[];
  /** Ends a node as a power cut would; default the first. Its data stays. */
  kill9(node?: number): Promise<void>;
  /** Starts it again on the same port and data; stops it first when it still runs. */
  restart(node?: number): Promise<void>;
  /** Ends a node in order; all of them when none is named. */
  stop(node?: number): Promise<void>;
  createTopics(topics: readonly TopicSpec[]): Promise<void>;
  /** Makes `node` the leader of a partition and waits until it is. */
  moveLeader(topic: string, partition: number, node: number): Promise<void>;
  /**
   * Runs a Java tool, such as `org.apache.kafka.tools.consumer.ConsoleConsumer`, with
   * `--bootstrap-server` set, and returns its standard output.
   * @throws PetrelError UNAVAILABLE with its own words when it does not end with status 0.
   */
  run(className: string, args: readonly string[], timeoutMs?: number): Promise<string>;
  /** The folder of a node's log segments, for tests that damage them. */
  logDir(node?: number): string;
}

/** Starts Kafka; rejects with the broker's own last lines when it does not come up. */
export async function startKafka(options: KafkaTestOptions = {}): Promise<KafkaServer> {
  const { javaFlags = [], ...settings } = options;
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "petrel-kafka-"));
  const sweeper = startSweeper(dir);
  stack.defer(async () => {
    sweeper.kill();
    await rm(dir, { recursive: true, force: true });
  });
  const { runner, version } = await runnerIn(dir, javaFlags, stack);
  const cluster = await onFreePorts((attempt) =>
    startCluster({ ...settings, runner, dir: join(dir, String(attempt)) }),
  );
  return serverOf(cluster, version, stack.move());
}

/**
 * Removes `dir` once this process is gone: `bun test` ends without a word to anybody, and then the
 * brokers are killed by their own watch. The second is theirs, to write to the folder no more.
 */
function startSweeper(dir: string): Bun.Subprocess {
  const script = 'cat; sleep 1; rm -rf "$1"';
  const stdio = ["pipe", "ignore", "ignore"] as const;
  return Bun.spawn(["/bin/sh", "-c", script, "sweeper", dir], {
    stdio: [...stdio],
    detached: true,
  });
}

/** The runtime of the tests, as a place for brokers; what it needs is ended with `stack`. */
async function runnerIn(
  dir: string,
  javaFlags: readonly string[],
  stack: AsyncDisposableStack,
): Promise<{ readonly runner: KafkaRunner; readonly version: string }> {
  if (await isInContainers()) {
    const { runner } = stack.use(await kafkaInContainers(dir, javaFlags));
    return { runner, version: IMAGES.kafka.version };
  }
  const program = await programForTests("kafka");
  return { runner: localKafka(program, javaFlags), version: program.version };
}

/** The containers use the machine's network, which only an engine on Linux gives them. */
async function isInContainers(): Promise<boolean> {
  return process.platform === "linux" && (await testRuntime()) === "containers";
}

/**
 * `test` of bun, where a Kafka can be had; elsewhere its tests are skipped, and why is said once a run.
 * A Kafka is optional to the tests because Java is: nothing else of Petrel needs it.
 */
export async function testWithKafka(): Promise<ReturnType<typeof test.skipIf>> {
  missing ??= whyNoKafka().then((reason) => {
    if (reason !== undefined) console.error(`tests: what needs Kafka is skipped: ${reason}`);
    return reason;
  });
  return test.skipIf((await missing) !== undefined);
}

let missing: Promise<string | undefined> | undefined;

async function whyNoKafka(): Promise<string | undefined> {
  if (await isInContainers()) return undefined;
  const { reason } = await lookForJava(JAVA_MIN);
  if (reason !== "") return `it needs Java ${JAVA_MIN} or newer, and ${reason}`;
  return programForTests("kafka").then(
    () => undefined,
    (error: unknown) => messageOf(error),
  );
}

/** Ports are free when they are chosen; another test may be quicker to take one. */
async function onFreePorts<T>(start: (attempt: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(attempt);
    } catch (error) {
      if (!/address already in use/i.test(String(error)) || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

/** The broker that the tests of one run share. Each caller has a prefix of its own for its topics. */
export type SharedKafka = Pick<KafkaServer, "brokers" | "version" | "createTopics" | "run"> & {
  /** For topics, groups and transactional ids, such as `t3-`. */
  readonly prefix: string;
};

let shared: Promise<KafkaServer> | undefined;
let sharedCalls = 0;

/** One node for all tests of this process, started by the first call and ended with the process. */
export async function sharedKafka(): Promise<SharedKafka> {
  shared ??= startKafka();
  return { ...(await shared), prefix: `t${++sharedCalls}-` };
}

function serverOf(cluster: KafkaCluster, version: string, rest: AsyncDisposable): KafkaServer {
  const { brokers, nodes } = cluster;
  const nodeOf = (id: number) => {
    const node = nodes[id - 1];
    if (node === undefined) throw new RangeError(`node ${id} of ${nodes.length}`);
    return node;
  };
  const bootstrap = ["--bootstrap-server", brokers.join()];
  const runTool: KafkaServer["run"] = async (className, args, timeoutMs) => {
    const result = await cluster.run(className, [...bootstrap, ...args], timeoutMs);
    if (result.code === 0) return result.stdout;
    const said = `${result.stdout}\n${result.stderr}`.trim() || result.reason;
    throw new PetrelError("UNAVAILABLE", `${className}: ${said}`);
  };
  return {
    brokers,
    nodes,
    version,
    brokersOf: (listener) => cluster.brokersOf(listener),
    kill9: (node = 1) => nodeOf(node).kill9(),
    restart: (node = 1) => nodeOf(node).restart(),
    stop: (node) => (node === undefined ? cluster.stop() : nodeOf(node).stop()),
    createTopics: (topics) => createTopics(brokers, nodes.length, topics),
    moveLeader: (topic, partition, node) =>
      moveLeader(runTool, brokers, { topic, partition, node }),
    run: runTool,
    logDir: (node = 1) => nodeOf(node).logDir,
    [Symbol.asyncDispose]: async () => {
      // What it holds is not kept, so nothing has to be ended in order.
      await Promise.all(nodes.map((node) => node.kill9()));
      await rest[Symbol.asyncDispose]();
    },
  };
}

/** An admin of kafkajs for the length of `body`. */
async function withAdmin<T>(
  brokers: readonly string[],
  body: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await body(admin);
  } finally {
    await admin.disconnect();
  }
}

async function createTopics(
  brokers: readonly string[],
  nodes: number,
  topics: readonly TopicSpec[],
): Promise<void> {
  const wanted = topics.map(({ topic, partitions = 1, replicas = nodes, config = {} }) => ({
    topic,
    numPartitions: partitions,
    replicationFactor: replicas,
    configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
  }));
  await withAdmin(brokers, async (admin) => {
    const isNew = await admin.createTopics({ topics: wanted, waitForLeaders: true });
    if (!isNew) throw new PetrelError("CONFLICT", "a topic of this test is there already");
  });
}

/** Puts `node` first among the replicas and has the first elected: what a reassignment does by hand. */
async function moveLeader(
  runTool: KafkaServer["run"],
  brokers: readonly string[],
  to: { readonly topic: string; readonly partition: number; readonly node: number },
): Promise<void> {
  const { topic, partition, node } = to;
  const partitionOf = async (admin: Admin) => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const found = topics[0]?.partitions.find(({ partitionId }) => partitionId === partition);
    if (found === undefined) throw new RangeError(`${topic} has no partition ${partition}`);
    return found;
  };
  await withAdmin(brokers, async (admin) => {
    const { replicas } = await partitionOf(admin);
    if (!replicas.includes(node)) throw new RangeError(`node ${node} has no replica of ${topic}`);
    const order = [node, ...replicas.filter((id) => id !== node)];
    await admin.alterPartitionReassignments({
      topics: [{ topic, partitionAssignment: [{ partition, replicas: order }] }],
    });
    const election = ["--election-type", "preferred", "--topic", topic];
    await runTool("org.apache.kafka.tools.LeaderElectionCommand", [
      ...election,
      "--partition",
      String(partition),
    ]);
    const isLeader = async () => (await partitionOf(admin)).leader === node;
    await until(`node ${node} leads ${topic}-${partition}`, isLeader);
  });
}
