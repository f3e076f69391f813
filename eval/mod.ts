/** The public benchmarks, through the code that runs in production. */
export type { IncidentLab, IncidentWatch, Watched } from "./incidents/lab.ts";
export { type Investigator, LAB_SOURCES, type Lab, type LabSource } from "./nezha/lab.ts";
export { compare, ORIGINS } from "./published.ts";
export { type CaseOutcome, type EvalReport, SUITE_NAMES, type SuiteName } from "./report.ts";
export { type Evaluated, evaluate, suitesIn } from "./run.ts";
