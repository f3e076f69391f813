/** What the rest of Petrel may use of deploy: the programs it runs beside itself. */
export {
  isProgramName,
  PROGRAM_NAMES,
  type Program,
  type ProgramName,
} from "./programs/catalogue.ts";
export { type EnsureOptions, ensureProgram } from "./programs/ensure.ts";
export { findProgram } from "./programs/find.ts";
export { type RunOptions, type RunResult, run } from "./programs/run.ts";
export type { OnProgress } from "./programs/way.ts";
