/** Runs one suite and makes its report. It knows which suites there are, and nothing of what they do. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../core/mod.ts";
import type { Lab } from "./nezha/lab.ts";
import { nezha } from "./nezha/suite.ts";
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

/** What tells that a folder holds a suite's data, and what the folder may be called. */
const SIGNS: Readonly<Record<SuiteName, readonly string[]>> = {
  nezha: ["faults.json", "nezha-train-ticket/faults.json", "nezha/faults.json"],
  petshop: ["dataset", "petshop/dataset", "low_traffic"],
  nab: ["labels/combined_windows.json", "nab/labels/combined_windows.json"],
  loghub: ["loghub"],
};

/** The suites whose data lies in `dir` or in a folder of its name inside. */
export function suitesIn(dir: string): SuiteName[] {
  return SUITE_NAMES.filter((name) => SIGNS[name].some((sign) => existsSync(join(dir, sign))));
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
  const suites: Readonly<Record<string, Suite>> = { nezha: nezha(lab) };
  return suites[name] ?? nezha(lab);
}
