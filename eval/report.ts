/**
 * What a suite is asked, and what it answers. The figures are what `petrel eval --json` prints, so their
 * names are part of its interface.
 */

export const SUITE_NAMES = ["nezha", "petshop", "nab", "loghub"] as const;
export type SuiteName = (typeof SUITE_NAMES)[number];

export interface EvalOptions {
  /** Where the suite's data was unpacked; any subset of its cases. */
  readonly dir: string;
  /** Where `nab` writes its scores, one file per series. */
  readonly scoresDir?: string;
  readonly signal: AbortSignal;
  /** Called after each case, from 1 to `total`. */
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

export type Figures = Readonly<Record<string, number>>;

/** One line of the table for people: a case, what was expected, and what was answered. */
export interface CaseOutcome {
  readonly name: string;
  /** True when the first answer is right. */
  readonly right: boolean;
  readonly expected: string;
  readonly answered: string;
}

/** What a suite's own code answers; the runner adds its name and the seconds it took. */
export interface SuiteResult {
  /** Cases that were evaluated. */
  readonly cases: number;
  readonly metrics: Figures;
  /** The same or finer figures by fault type, dataset or category. */
  readonly byGroup: Readonly<Record<string, Figures>>;
  /** For people only; not in the JSON. */
  readonly outcomes: readonly CaseOutcome[];
}

export interface EvalReport extends Omit<SuiteResult, "outcomes"> {
  readonly suite: SuiteName;
  readonly seconds: number;
}

/** A suite: reads `dir`, asks the production code, and compares. Throws USAGE for data it cannot read. */
export type Suite = (options: EvalOptions) => Promise<SuiteResult>;
