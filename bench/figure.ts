/** Figures: medians of runs with their spread, as a JSON line for programs and a table for people. */
import { PetrelError } from "../core/mod.ts";
import type { Run } from "./run.ts";

export interface Figure {
  readonly case: string;
  readonly metric: string;
  readonly ours: number;
  /** What ours is held against; null where there is nothing to compare. */
  readonly peer: number | null;
  /** ours / peer. */
  readonly ratio: number | null;
  readonly unit: string;
  readonly runs: number;
  readonly oursMin: number;
  readonly oursMax: number;
  readonly peerMin: number | null;
  readonly peerMax: number | null;
}

/** A metric as the runs name it, and its unit. */
export interface Metric {
  readonly name: string;
  readonly unit: string;
  /** The runs' own name where it differs. */
  readonly of?: string;
}

/** The figures of one case: medians over the runs. Throws INTERNAL when a run lacks a metric. */
export function figuresOf(
  name: string,
  metrics: readonly Metric[],
  ours: readonly Run[],
  peer?: readonly Run[],
): Figure[] {
  return metrics.map(({ name: metric, unit, of = metric }) => {
    const mine = spreadOf(costs(name, of, ours));
    const theirs = peer && spreadOf(costs(name, of, peer));
    return {
      case: name,
      metric,
      ours: mine.median,
      peer: theirs?.median ?? null,
      ratio: theirs ? mine.median / theirs.median : null,
      unit,
      runs: ours.length,
      oursMin: mine.min,
      oursMax: mine.max,
      peerMin: theirs?.min ?? null,
      peerMax: theirs?.max ?? null,
    };
  });
}

function costs(name: string, metric: string, runs: readonly Run[]): number[] {
  return runs.map(({ cost }) => {
    const value = cost[metric];
    if (value !== undefined) return value;
    throw new PetrelError("INTERNAL", `${name}: a run did not measure ${metric}`, { metric });
  });
}

/** Median, least and greatest. NaN for no values. */
export function spreadOf(values: readonly number[]): { median: number; min: number; max: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    min: at(0),
    max: at(sorted.length - 1),
  };
}

/** The value that `share` of the values do not exceed (nearest rank). NaN for no values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

const HEADINGS = ["case", "metric", "ours", "", "peer", "", "ours/peer", "unit", "runs"] as const;

/** A table whose numbers stand right. Spread is `min..max`. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.case,
    figure.metric,
    digits(figure.ours),
    range(figure.oursMin, figure.oursMax),
    figure.peer === null ? "-" : digits(figure.peer),
    range(figure.peerMin, figure.peerMax),
    figure.ratio === null ? "-" : digits(figure.ratio),
    figure.unit,
    String(figure.runs),
  ]);
  const all = [[...HEADINGS], ...rows];
  const widths = HEADINGS.map((_, column) =>
    Math.max(...all.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => pad(cell, widths[column] ?? 0, column))
      .join("  ")
      .trimEnd();
  return `${all.map(line).join("\n")}\n`;
}

const NUMBER_COLUMNS: ReadonlySet<number> = new Set([2, 4, 6, 8]);

function pad(cell: string, width: number, column: number): string {
  return NUMBER_COLUMNS.has(column) ? cell.padStart(width) : cell.padEnd(width);
}

function range(min: number | null, max: number | null): string {
  return min === null || max === null ? "" : `${digits(min)}..${digits(max)}`;
}

/** Three digits that say something; thousands set apart. */
function digits(value: number): string {
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}
