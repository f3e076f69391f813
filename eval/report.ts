/**
 * What a suite is asked, what it answers, and what it had to leave out. The figures are what
 * `petrel eval --json` prints, so their names are part of its interface. It never judges an answer.
 */
import { readFile, stat } from "node:fs/promises";
import { messageOf, PetrelError } from "../core/mod.ts";

export const SUITE_NAMES = ["nezha", "petshop", "nab", "loghub", "incidents"] as const;
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
  /**
   * Parts of the data that are not in the figures, each a short reason with its file or folder; at most
   * {@link LEFT_MAX}. For people only; not in the JSON.
   */
  readonly left: readonly string[];
}

export interface EvalReport extends Omit<SuiteResult, "outcomes" | "left"> {
  readonly suite: SuiteName;
  readonly seconds: number;
}

/**
 * A suite: reads `dir`, asks the production code, and compares. What it cannot read it leaves out. Throws
 * USAGE when nothing can be read, CANCELLED when the signal fires.
 */
export type Suite = (options: EvalOptions) => Promise<SuiteResult>;

export const LEFT_MAX = 50;
const PART_BYTES_MAX = 256 * 1024 * 1024;

/** Collects why parts of the data were left out, so that one of them does not end a suite. */
export class LeftOut {
  readonly #reasons: string[] = [];
  #count = 0;
  #first: PetrelError | undefined;

  /** What `read` gives; undefined when it throws USAGE, which is remembered. Other errors pass. */
  async unless<T>(read: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof PetrelError) || error.code !== "USAGE") throw error;
      this.add(error);
      return undefined;
    }
  }

  add(error: PetrelError): void {
    this.#first ??= error;
    this.note(messageOf(error));
  }

  /** Something to say that is no reason for having nothing. */
  note(reason: string): void {
    this.#count += 1;
    if (this.#reasons.length < LEFT_MAX) this.#reasons.push(reason);
  }

  /** In the order they came, at most {@link LEFT_MAX}; the last one counts those that are too many. */
  reasons(): readonly string[] {
    if (this.#count <= LEFT_MAX) return [...this.#reasons];
    const shown = this.#reasons.slice(0, LEFT_MAX - 1);
    return [...shown, `and ${this.#count - shown.length} more`];
  }

  /** The error of a suite that has nothing to evaluate: the first reason, or USAGE with `otherwise`. */
  nothing(otherwise: string): PetrelError {
    return this.#first ?? new PetrelError("USAGE", otherwise);
  }
}

/** The text of a file. Throws USAGE naming it when it is missing, no file, too large or unreadable. */
export async function readPart(file: string): Promise<string> {
  const size = await sizeOf(file);
  if (size > PART_BYTES_MAX) throw unreadable(file, `larger than ${PART_BYTES_MAX} bytes`);
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw unreadable(file, `cannot be read: ${messageOf(error)}`, error);
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    const found = await stat(file);
    // A folder gives a bare error later, and a pipe would be waited for without end.
    if (found.isFile()) return found.size;
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw unreadable(file, isMissing ? "missing" : `cannot be read: ${messageOf(error)}`, error);
  }
  throw unreadable(file, "is no file");
}

function unreadable(file: string, why: string, cause?: unknown): PetrelError {
  return new PetrelError("USAGE", `${file}: ${why}`, { file }, cause);
}

/** Throws CANCELLED once the signal has fired, whatever its reason is. */
export function checkSignal(signal: AbortSignal, suite: SuiteName): void {
  if (signal.aborted) throw cancelled(signal, suite);
}

/** The signal's reason when it is CANCELLED; else one with the reason as its cause. */
export function cancelled({ reason }: AbortSignal, suite: SuiteName): PetrelError {
  if (reason instanceof PetrelError && reason.code === "CANCELLED") return reason;
  return new PetrelError("CANCELLED", `evaluating ${suite}: cancelled`, {}, reason);
}
