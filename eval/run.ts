/** Runs one suite and makes its report. It knows which suites there are, and nothing of what they do. */
import { existsSync } from "node:fs";
import { PetrelError, systemClock } from "../core/mod.ts";
import type { IncidentLab } from "./incidents/lab.ts";
import { incidents } from "./incidents/suite.ts";
import { loghub } from "./loghub/suite.ts";
import { nab } from "./nab/suite.ts";
import type { Lab } from "./nezha/lab.ts";
import { nezha } from "./nezha/suite.ts";
import { petshop } from "./petshop/suite.ts";
import {
  type CaseOutcome,
  cancelled,
  type EvalOptions,
  type EvalReport,
  SUITE_NAMES,
  type Suite,
  type SuiteName,
  type SuiteResult,
} from "./report.ts";

export interface Evaluated {
  readonly report: EvalReport;
  /** For people: each case, in the order of the data. */
  readonly outcomes: readonly CaseOutcome[];
  /** For people: parts of the data that were left out, with the reason. */
  readonly left: readonly string[];
}

/** What a traffic level of PetShop has, and where levels lie: `dir` itself may be one. */
const LEVEL_SIGNS = ["noissue/metrics.csv", "{train,test}/*/target.json", "*/target.json"];
const LEVEL_PLACES = ["", "*/", "dataset/*/", "petshop/dataset/*/"];

/** Files that tell that a folder holds a suite's data, there or in a folder of the suite's name. */
const SIGNS: Readonly<Record<SuiteName, readonly string[]>> = {
  nezha: ["faults.json", "nezha*/faults.json"],
  petshop: LEVEL_PLACES.flatMap((place) => LEVEL_SIGNS.map((sign) => `${place}${sign}`)),
  nab: ["labels/combined_windows.json", "nab/labels/combined_windows.json"],
  loghub: ["", "*/", "loghub/*/"].map((place) => `${place}*_2k.log_structured.csv`),
  // No benchmark of others: run when it is asked for by name.
  incidents: [],
};

/** The suites whose data lies in `dir`. */
export function suitesIn(dir: string): SuiteName[] {
  if (!existsSync(dir)) return [];
  return SUITE_NAMES.filter((name) => SIGNS[name].some((sign) => hasSign(dir, sign)));
}

function hasSign(dir: string, sign: string): boolean {
  try {
    return !new Bun.Glob(sign).scanSync({ cwd: dir }).next().done;
  } catch {
    // What cannot be listed shows nothing.
    return false;
  }
}

/**
 * Evaluates one suite. Throws USAGE or CONFIG_INVALID for data it cannot read, CANCELLED when the
 * signal fires, and whatever the system under evaluation throws.
 */
export async function evaluate(
  name: SuiteName,
  lab: Lab & IncidentLab,
  options: EvalOptions,
): Promise<Evaluated> {
  const startedMs = systemClock.nowMs();
  const { outcomes, left, cases, metrics, byGroup } = await runSuite(name, lab, options);
  const seconds = (systemClock.nowMs() - startedMs) / 1_000;
  return { report: { suite: name, cases, metrics, byGroup, seconds }, outcomes, left };
}

async function runSuite(
  name: SuiteName,
  lab: Lab & IncidentLab,
  options: EvalOptions,
): Promise<SuiteResult> {
  try {
    return await suiteOf(name, lab)(options);
  } catch (error) {
    // A wait that the signal ends throws the signal's reason, which may be anything.
    if (error instanceof PetrelError || !options.signal.aborted) throw error;
    throw cancelled(options.signal, name);
  }
}

function suiteOf(name: SuiteName, lab: Lab & IncidentLab): Suite {
  switch (name) {
    case "nezha":
      return nezha(lab);
    case "petshop":
      return petshop;
    case "nab":
      return nab;
    case "loghub":
      return loghub;
    case "incidents":
      return incidents(lab);
    default:
      return name satisfies never;
  }
}
