/** What every way of fetching a package is given. */
import type { PackageName } from "./catalogue.ts";

/** `step` begins a line of progress; `update` says how far the step has come. */
export type OnProgress = (kind: "step" | "update", text: string) => void;

export interface WayContext {
  readonly packageName: PackageName;
  /** A private folder, removed afterwards. */
  readonly workDir: string;
  /** The executables have to end here. */
  readonly outDir: string;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}
