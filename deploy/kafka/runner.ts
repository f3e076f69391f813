/** Where Kafka runs: as processes of this machine over the fetched jars, or wherever a test puts it. */
import type { Program } from "../programs/catalogue.ts";
import { type RunResult, run } from "../programs/run.ts";
import { type NodeOptions, type NodeProcess, startNode } from "./node.ts";

export interface KafkaRunner {
  /** Starts a node whose folder is formatted; resolves when it serves. */
  startNode(options: NodeOptions): Promise<NodeProcess>;
  /** Runs a class of Kafka to its end; never throws for one that fails. */
  run(
    className: string,
    args: readonly string[],
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<RunResult>;
}

/**
 * Runs Kafka with the launcher that was fetched with its jars.
 * `javaFlags`: of the brokers' JVM, such as `-Xmx1g`; they win over the launcher's own.
 */
export function localKafka(
  program: Pick<Program, "path">,
  javaFlags: readonly string[] = [],
): KafkaRunner {
  const flags = [process.env.KAFKA_OPTS ?? "", ...javaFlags].join(" ");
  const env = { ...process.env, KAFKA_OPTS: flags };
  return {
    startNode: (options) => startNode([program.path, "kafka.Kafka"], env, options),
    run: (className, args, { timeoutMs, signal }) =>
      run([program.path, className, ...args], { timeoutMs, ...(signal ? { signal } : {}) }),
  };
}
