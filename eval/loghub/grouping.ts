/**
 * How well lines were grouped, against the true groups.
 *
 * Grouping accuracy is the strict one of Zhu et al. 2019 (Tools and benchmarks for automated log
 * parsing): a line counts when the set of lines in its group is the set of lines in its true group. FGA
 * is its F1 score over groups instead of lines (Jiang et al. 2024, Loghub-2.0), so that rare groups count
 * as much as frequent ones.
 */

export interface Grouping {
  /** Share of lines, 0 to 1. */
  readonly accuracy: number;
  /** 0 to 1. */
  readonly fga: number;
  /** Groups that were made. */
  readonly groups: number;
  readonly trueGroups: number;
  /** True groups that were found whole and pure. */
  readonly rightGroups: number;
}

/** Compares two labellings of the same lines; NaN for no lines. */
export function compareGroups(made: readonly string[], truth: readonly string[]): Grouping {
  const madeSizes = sizesOf(made);
  const trueSizes = sizesOf(truth);
  // Lines that share both labels: a group is right when this is the size of both.
  const together = new Map<string, Map<string, number>>();
  for (const [at, label] of made.entries()) {
    const row = together.get(label) ?? new Map<string, number>();
    together.set(label, row);
    const name = truth[at] ?? "";
    row.set(name, (row.get(name) ?? 0) + 1);
  }
  let rightLines = 0;
  let rightGroups = 0;
  for (const [label, row] of together) {
    const [name = "", lines = 0] = row.entries().next().value ?? [];
    if (row.size !== 1 || madeSizes.get(label) !== lines || trueSizes.get(name) !== lines) continue;
    rightLines += lines;
    rightGroups += 1;
  }
  return {
    accuracy: rightLines / made.length,
    fga: (2 * rightGroups) / (madeSizes.size + trueSizes.size),
    groups: madeSizes.size,
    trueGroups: trueSizes.size,
    rightGroups,
  };
}

function sizesOf(labels: readonly string[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const label of labels) sizes.set(label, (sizes.get(label) ?? 0) + 1);
  return sizes;
}
