/**
 * One run of one side of a comparison, and how runs are arranged into rounds: every side once per
 * round, the order reversed from round to round, so that neither profits from what the machine did
 * before. It knows nothing of what is measured.
 */
import { z } from "zod";
import { PetrelError } from "../core/mod.ts";

export const Run = z.object({
  /** What was done, as counts. The same on every side of a comparison, or the comparison is void. */
  work: z.record(z.string(), z.number()),
  /** What it cost, by metric. */
  cost: z.record(z.string(), z.number()),
});
export type Run = z.infer<typeof Run>;

/** What a case is given. */
export interface BenchContext {
  /** Rounds that count; one more goes before them to warm the machine. */
  readonly rounds: number;
  readonly signal: AbortSignal;
  /** One line about the work under way. */
  readonly onProgress: (text: string) => void;
}

type Sides<Name extends string> = Readonly<Record<Name, () => Promise<Run>>>;

/**
 * Runs every side `context.rounds` times, after a round that is thrown away. Resolves with the runs
 * of each side. Throws INTERNAL when two sides of a round did not do the same work.
 */
export async function runRounds<Name extends string>(
  label: string,
  sides: Sides<Name>,
  context: BenchContext,
): Promise<Record<Name, Run[]>> {
  const names = Object.keys(sides) as Name[];
  const runs = {} as Record<Name, Run[]>;
  for (const name of names) runs[name] = [];
  for (let round = 0; round <= context.rounds; round++) {
    const order = round % 2 === 0 ? names : names.toReversed();
    const done = new Map<Name, Run>();
    for (const name of order) {
      context.signal.throwIfAborted();
      const which = round === 0 ? "warm-up" : `round ${round} of ${context.rounds}`;
      context.onProgress(`${label}: ${which}: ${name}`);
      done.set(name, await sides[name]());
    }
    checkSameWork(label, done);
    if (round === 0) continue;
    for (const [name, run] of done) runs[name].push(run);
  }
  return runs;
}

/** Throws INTERNAL naming the two sides and the count they disagree on. */
export function checkSameWork(label: string, runs: ReadonlyMap<string, Run>): void {
  const [first, ...others] = runs;
  if (first === undefined) return;
  const [firstName, { work }] = first;
  for (const [name, other] of others) {
    for (const key of new Set([...Object.keys(work), ...Object.keys(other.work)])) {
      if (work[key] === other.work[key]) continue;
      throw new PetrelError(
        "INTERNAL",
        `${label}: not the same work: ${key} is ${work[key]} for ${firstName}, ${other.work[key]} for ${name}`,
        { case: label, count: key },
      );
    }
  }
}

/** Throws INTERNAL when a run did not do what it was asked to. */
export function checkWork(label: string, run: Run, expected: Run["work"]): void {
  checkSameWork(
    label,
    new Map([
      ["the task", { work: expected, cost: {} }],
      ["the run", run],
    ]),
  );
}
