/** Runs one suite and makes its report. It knows which suites there are, and nothing of what they do. */
import { existsSync } from "node:fs";
import { systemClock } from "../core/mod.ts";
import { loghub } from "./loghub/suite.ts";
import { nab } from "./nab/suite.ts";
import type { Lab } from "./nezha/lab.ts";
import { nezha } from "./nezha/suite.ts";
import { petshop } from "./petshop/suite.ts";
import {
  type CaseOutcome,
  type EvalOptions,
  type EvalReport,
  SUITE_NAMES,
  type Suite,
  type SuiteName,
} from "./report.ts";

export interface Evaluated {
  readonly report: EvalReport;
  /** For people: each case, in the order of the data. */
  readonly outcomes: readonly CaseOutcome[];
}

/** Files that tell that a folder holds a suite's data, there or in a folder of the suite's name. */
const SIGNS: Readonly<Record<SuiteName, readonly string[]>> = {
  nezha: ["faults.json", "nezha*/faults.json"],
  petshop: ["*_traffic*/graph.csv", "dataset/*/graph.csv", "petshop/dataset/*/graph.csv"],
  nab: ["labels/combined_windows.json", "nab/labels/combined_windows.json"],
  loghub: ["*/*_2k.log_structured.csv", "loghub/*/*_2k.log_structured.csv"],
};

/** The suites whose data lies in `dir`. */
export function suitesIn(dir: string): SuiteName[] {
  if (!existsSync(dir)) return [];
  const isThere = (sign: string) => !new Bun.Glob(sign).scanSync({ cwd: dir }).next().done;
  return SUITE_NAMES.filter((name) => SIGNS[name].some(isThere));
}

/**
 * Evaluates one suite. Throws USAGE or CONFIG_INVALID for data it cannot read, CANCELLED when the
 * signal fires, and whatever the system under evaluation throws.
 */
export async function evaluate(
  name: SuiteName,
  lab: Lab,
  options: EvalOptions,
): Promise<Evaluated> {
  const startedMs = systemClock.nowMs();
  const { outcomes, cases, metrics, byGroup } = await suiteOf(name, lab)(options);
  const seconds = (systemClock.nowMs() - startedMs) / 1_000;
  return { report: { suite: name, cases, metrics, byGroup, seconds }, outcomes };
}

function suiteOf(name: SuiteName, lab: Lab): Suite {
  switch (name) {
    case "nezha":
      return nezha(lab);
    case "petshop":
      return petshop;
    case "nab":
      return nab;
    case "loghub":
      return loghub;
    default:
      return name satisfies never;
  }
}
