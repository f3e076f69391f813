/**
 * A Kafka of one node or of several on this machine, over the fetched jars: formatted when its folder
 * is new, started, stopped. What it holds stays in the folder.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PetrelError } from "../../core/mod.ts";
import type { RunResult } from "../programs/run.ts";
import type { NodeProcess } from "./node.ts";
import { freePorts } from "./ports.ts";
import { HOST, type Listener, type NodePorts, serverProperties } from "./properties.ts";
import type { KafkaRunner } from "./runner.ts";

const FORMAT_TIMEOUT_MS = 60_000;
const READY_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 15_000;
const TOOL_TIMEOUT_MS = 60_000;

export interface KafkaOptions {
  /** Such as `localKafka(await ensureProgram("kafka", …))`. */
  readonly runner: KafkaRunner;
  /** Where it keeps its data, one folder per node. Made and formatted when it is not there. */
  readonly dir: string;
  /** The first node's; the controllers and further nodes get free ones. Default: a free one. */
  readonly port?: number;
  /** Default 1. Several form one quorum of controllers, and topics are replicated over them. */
  readonly nodes?: number;
  /** Listeners beside the plain one, by name, such as `{ SASL: "SASL_PLAINTEXT" }`. */
  readonly listeners?: Readonly<Record<string, string>>;
  /** Of server.properties; they win over what Petrel sets. */
  readonly extraProperties?: Readonly<Record<string, string>>;
  /** More arguments of `StorageTool format`, such as `--add-scram`. */
  readonly formatArguments?: readonly string[];
  readonly signal?: AbortSignal;
  /** Warnings and errors of the brokers, line by line. */
  readonly onLine?: (line: string) => void;
}

export interface KafkaNode {
  /** From 1. */
  readonly id: number;
  /** `127.0.0.1:<port>` of the plain listener; stays the same over restarts. */
  readonly address: string;
  /** Of the process that serves now. */
  readonly pid: number;
  /** Its log segments, a folder per partition. */
  readonly logDir: string;
  /** Resolves when the present process is gone. */
  readonly exited: Promise<unknown>;
  /** Ends it in order, SIGKILL after `graceMs`. Its data stays. */
  stop(graceMs?: number): Promise<void>;
  /** Ends it as a power cut would. Its data stays. */
  kill9(): Promise<void>;
  /** Starts it on the same port and data; stops it first when it still runs. */
  restart(): Promise<void>;
}

export interface KafkaCluster extends AsyncDisposable {
  /** Bootstrap addresses of the plain listeners. */
  readonly brokers: readonly string[];
  readonly nodes: readonly KafkaNode[];
  /** Bootstrap addresses of a listener of {@link KafkaOptions.listeners}. */
  brokersOf(listener: string): readonly string[];
  /** Runs a class of Kafka, such as `org.apache.kafka.tools.TopicCommand`, to its end. */
  run(className: string, args: readonly string[], timeoutMs?: number): Promise<RunResult>;
  /** Ends all nodes in order, SIGKILL after `graceMs`. The data stays. */
  stop(graceMs?: number): Promise<void>;
}

/**
 * Starts Kafka; resolves when every node answers.
 * @throws PetrelError UNAVAILABLE with the node's own last lines, DEADLINE_EXCEEDED, CANCELLED.
 */
export async function startCluster(options: KafkaOptions): Promise<KafkaCluster> {
  const plans = await planNodes(options);
  await Promise.all(plans.map((plan) => prepare(plan, options)));
  const launch = (plan: NodePlan) =>
    options.runner.startNode({
      propertiesFile: plan.propertiesFile,
      port: plan.port,
      readyTimeoutMs: READY_TIMEOUT_MS,
      signal: options.signal,
      onLine: options.onLine,
    });
  const nodes = await launchAll(plans, launch);
  const stop = async (graceMs?: number) => {
    await Promise.all(nodes.map((node) => node.stop(graceMs)));
  };
  return {
    brokers: nodes.map((node) => node.address),
    nodes,
    brokersOf: (name) => plans.map((plan) => `${HOST}:${portOf(plan, name)}`),
    run: (className, args, timeoutMs = TOOL_TIMEOUT_MS) =>
      options.runner.run(className, args, { timeoutMs }),
    stop,
    [Symbol.asyncDispose]: () => stop(),
  };
}

/** What is decided of a node before it is started. */
interface NodePlan {
  readonly id: number;
  readonly port: number;
  readonly listeners: Readonly<Record<string, Listener>>;
  readonly dataDir: string;
  readonly propertiesFile: string;
  readonly properties: string;
  readonly clusterId: string;
}

async function planNodes(options: KafkaOptions): Promise<readonly NodePlan[]> {
  const count = options.nodes ?? 1;
  const names = Object.entries(options.listeners ?? {});
  const free = (await freePorts(count * (2 + names.length))).values();
  const nextPort = () => free.next().value ?? 0;
  const ports: NodePorts[] = Array.from({ length: count }, (_, index) => ({
    client: (index === 0 ? options.port : undefined) ?? nextPort(),
    controller: nextPort(),
  }));
  const clusterId = newClusterId();
  return ports.map(({ client }, index) => {
    const id = index + 1;
    const dataDir = join(options.dir, `node-${id}`);
    const listeners = Object.fromEntries(
      names.map(([name, protocol]) => [name, { protocol, port: nextPort() }]),
    );
    const { extraProperties = {} } = options;
    return {
      id,
      port: client,
      listeners,
      dataDir,
      propertiesFile: join(options.dir, `node-${id}.properties`),
      properties: serverProperties({ id, ports, dataDir, listeners, extraProperties }),
      clusterId,
    };
  });
}

/** Sixteen bytes in the alphabet of URLs. The first is never a dash, which would read as an option. */
function newClusterId(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString("base64url");
}

/** Writes the configuration of a node and formats its folder, if that was not done before. */
async function prepare(plan: NodePlan, options: KafkaOptions): Promise<void> {
  await mkdir(plan.dataDir, { recursive: true });
  await writeFile(plan.propertiesFile, plan.properties);
  if (existsSync(join(plan.dataDir, "meta.properties"))) return;
  const format = ["format", "--cluster-id", plan.clusterId, "--config", plan.propertiesFile];
  const result = await options.runner.run(
    "kafka.tools.StorageTool",
    [...format, ...(options.formatArguments ?? [])],
    { timeoutMs: FORMAT_TIMEOUT_MS, signal: options.signal },
  );
  if (options.signal?.aborted) throw new PetrelError("CANCELLED", "formatting Kafka: cancelled");
  if (result.code === 0) return;
  await rm(plan.dataDir, { recursive: true, force: true });
  const said = `${result.stdout}\n${result.stderr}`.trim();
  throw new PetrelError("UNAVAILABLE", `Kafka cannot format ${plan.dataDir}: ${said}`);
}

/** All nodes or none: they find each other while they start. */
async function launchAll(
  plans: readonly NodePlan[],
  launch: (plan: NodePlan) => Promise<NodeProcess>,
): Promise<readonly KafkaNode[]> {
  const outcomes = await Promise.allSettled(plans.map(launch));
  const failure = outcomes.find((outcome) => outcome.status === "rejected");
  const running = outcomes.filter((outcome) => outcome.status === "fulfilled");
  if (failure !== undefined) {
    await Promise.all(running.map(({ value }) => value.kill9()));
    throw failure.reason;
  }
  return plans.flatMap((plan, index) => {
    const first = running[index]?.value;
    return first === undefined ? [] : [nodeOf(plan, first, () => launch(plan))];
  });
}

function nodeOf(plan: NodePlan, first: NodeProcess, launch: () => Promise<NodeProcess>): KafkaNode {
  let process = first;
  const stop = (graceMs = STOP_GRACE_MS) => process.stop(graceMs);
  return {
    id: plan.id,
    address: `${HOST}:${plan.port}`,
    logDir: plan.dataDir,
    get pid() {
      return process.pid;
    },
    get exited() {
      return process.exited;
    },
    stop,
    kill9: () => process.kill9(),
    restart: async () => {
      await stop();
      process = await launch();
    },
  };
}

function portOf(plan: NodePlan, name: string): number {
  const listener = plan.listeners[name];
  if (listener === undefined) throw new RangeError(`there is no listener ${name}`);
  return listener.port;
}
