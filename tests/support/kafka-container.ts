/**
 * Kafka in containers for the tests: one per node, and one for the tools. They use the network of the
 * machine and the folder of the test under its own name, so that ports, configuration and log segments
 * are the same as those of local processes. For a Docker engine of this machine, on Linux.
 */
import type { KafkaRunner, RunResult } from "../../deploy/mod.ts";
import { STARTED } from "../../deploy/mod.ts";
import { type Container, IMAGES, startContainer } from "./containers.ts";

const JAVA = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-cp", "/opt/kafka/libs/*"];
const LOGGING = "-Dlog4j2.configurationFile=/opt/kafka/config/tools-log4j2.yaml";
const LOG_OF_BROKER = "-Dlog4j2.configurationFile=/opt/kafka/config/log4j2.yaml";

export interface ContainerKafka extends AsyncDisposable {
  readonly runner: KafkaRunner;
}

/** Where `dir`, a folder of this machine, holds the configuration and data of the nodes. */
export async function kafkaInContainers(
  dir: string,
  javaFlags: readonly string[],
): Promise<ContainerKafka> {
  const place = {
    image: IMAGES.kafka.name,
    entrypoint: [],
    // What the containers write, this process has to be able to remove.
    user: `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`,
    onHostNetwork: true,
    binds: [dir],
  } as const;
  const tools = await startContainer({
    ...place,
    command: ["sh", "-c", "echo ready; exec sleep 86400"],
    ready: /ready/,
  });
  return {
    runner: {
      run: (className, args, { timeoutMs }) =>
        runIn(tools, [...JAVA, LOGGING, className, ...args], timeoutMs),
      startNode: async ({ propertiesFile }) => {
        const kafkaLogs = "-Dkafka.logs.dir=/tmp";
        const node = await startContainer({
          ...place,
          command: [...JAVA, LOG_OF_BROKER, kafkaLogs, ...javaFlags, "kafka.Kafka", propertiesFile],
          ready: STARTED,
        });
        const { promise: exited, resolve: ended } = Promise.withResolvers<void>();
        let isGone = false;
        const remove = async () => {
          if (isGone) return;
          isGone = true;
          await node[Symbol.asyncDispose]();
          ended();
        };
        return {
          pid: node.pid(),
          exited,
          stop: async (graceMs) => {
            if (!isGone) await node.stop(graceMs);
            await remove();
          },
          kill9: async () => {
            if (!isGone) await node.kill9();
            await remove();
          },
        };
      },
    },
    [Symbol.asyncDispose]: () => tools[Symbol.asyncDispose](),
  };
}

async function runIn(
  container: Container,
  command: readonly string[],
  timeoutMs: number,
): Promise<RunResult> {
  const late = Promise.withResolvers<RunResult>();
  const reason = `not done in ${timeoutMs / 1000} s`;
  const timer = setTimeout(
    () => late.resolve({ code: -1, stdout: "", stderr: "", reason }),
    timeoutMs,
  );
  try {
    return await Promise.race([container.exec(command), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
