/** What the rest of Petrel may use of deploy: the programs it runs beside itself. */
export {
  type KafkaCluster,
  type KafkaNode,
  type KafkaOptions,
  startCluster as startKafka,
} from "./kafka/cluster.ts";
export { type NodeOptions, type NodeProcess, STARTED } from "./kafka/node.ts";
export { type KafkaRunner, localKafka } from "./kafka/runner.ts";
export {
  isProgramName,
  PROGRAM_NAMES,
  type Program,
  type ProgramName,
} from "./programs/catalogue.ts";
export { eachLine, stopWithin } from "./programs/child.ts";
export { type EnsureOptions, ensureProgram } from "./programs/ensure.ts";
export { findProgram } from "./programs/find.ts";
export { buildWithGo } from "./programs/go.ts";
export { lookForJava } from "./programs/java.ts";
export type { ModulePin } from "./programs/pins.ts";
export { type RunOptions, type RunResult, run } from "./programs/run.ts";
export type { OnProgress } from "./programs/way.ts";
