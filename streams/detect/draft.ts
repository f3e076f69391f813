/** What the detectors of this folder share: unnumbered findings, the bar for each verdict, bounds. */
import { limits } from "../../core/mod.ts";
import type { Finding } from "../findings.ts";

/** A finding that has no number yet. */
export type Draft = Omit<Finding, "id">;

/** From here on a finding is worth telling. */
export const NOTABLE = 3;

/** False discovery rate over the tests of one kind in one window. */
export const DISCOVERY_RATE = 0.05;

/** Heaviest first, cut to `max`, numbered `prefix-1`, `prefix-2`, …; ties fall in a stable order. */
export function numbered(drafts: readonly Draft[], prefix: string, max: number): Finding[] {
  const order = (a: Draft, b: Draft) =>
    Number(b.anomalous) - Number(a.anomalous) ||
    b.score - a.score ||
    compareText(a.service, b.service) ||
    compareText(a.summary, b.summary);
  return [...drafts]
    .sort(order)
    .slice(0, Math.min(max, limits.FINDINGS_MAX))
    .map((draft, index) => ({ id: `${prefix}-${index + 1}`, ...draft }));
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Adds `value` to the list under `key`. */
export function append<T>(table: Map<string, T[]>, key: string, value: T): void {
  const list = table.get(key);
  if (list === undefined) table.set(key, [value]);
  else list.push(value);
}

/** Cut to `max` characters with an ellipsis; never splits a surrogate pair. */
export function clip(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}

/** A number as people write it: at most three significant digits, no exponent below a million. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return "unknown";
  const digits = Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
  return digits.toLocaleString("en-US", { maximumFractionDigits: 6 });
}
