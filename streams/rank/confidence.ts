/** How sure the ranking is of a cause: from the strength of each suspicion to a probability. */

/** How sharply a lead over the rivals counts. */
const LEAD_POWER = 3;
/** A suspicion this strong may come from chance, or from a cause that left no trace. */
const CHANCE_SCORE = 1.5;
/** No ranking is certain. */
const CONFIDENCE_MAX = 0.99;

/**
 * In [0, 1]: the share of a suspicion among all, with the lead sharpened, and with one rival more: chance.
 * So confidence rises with the strength of the evidence and with the distance to the next suspect, and
 * all confidences together stay below 1. A softmax of log scores (Bridle 1990); power and chance are
 * fitted to labelled faults whose evidence was thinned, see docs/findings.md.
 */
export function confidenceOf(score: number, scores: readonly number[]): number {
  const sum = scores.reduce((total, one) => total + (one / score) ** LEAD_POWER, 0);
  const chance = (CHANCE_SCORE / score) ** LEAD_POWER;
  return Math.round((CONFIDENCE_MAX / Math.max(1, sum + chance)) * 1_000) / 1_000;
}
