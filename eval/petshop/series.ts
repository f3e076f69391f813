/**
 * Turns PetShop's tables into the series a metric store would have given, with the names of our
 * catalogue, and places normal data before an issue. It looks at no value.
 */
import type { Window } from "../../core/mod.ts";
import type { Series } from "../../streams/mod.ts";
import type { Column, Table } from "./csv.ts";

/**
 * What is read. Of the latency statistics the mean alone: it is the time spent per request, so a callee's
 * share of its caller's can be told. The quantiles are left unread.
 */
const READ = [
  { metric: "latency", statistic: "Average", name: "http_latency_mean", unit: "ms", factor: 1_000 },
  { metric: "availability", statistic: "Average", name: "availability", unit: "%", factor: 1 },
  { metric: "requests", statistic: "Sum", name: "requests", unit: "requests", factor: 1 },
] as const;

const DAY_MS = 24 * 3_600_000;

/** A table's step, milliseconds: the median distance of its samples; five minutes with fewer than two. */
export function stepOf(timesMs: readonly number[]): number {
  const steps = timesMs.slice(1).map((timeMs, at) => timeMs - (timesMs[at] ?? timeMs));
  steps.sort((a, b) => a - b);
  return steps[Math.floor(steps.length / 2)] ?? 300_000;
}

/**
 * Series of all nodes over the tables, which must follow each other in time. A sample is stamped with the
 * start of its interval in the data, and with its end here, as metric stores do.
 */
export function seriesOf(tables: readonly Table[], stepMs: number): Series[] {
  const timesMs = tables.flatMap((table) => table.timesMs.map((timeMs) => timeMs + stepMs));
  const byKey = tables.map(
    (table) => new Map(table.columns.map((column) => [keyOf(column), column])),
  );
  const keys = new Set(byKey.flatMap((columns) => [...columns.keys()]));
  return [...keys].sort().flatMap((key) => {
    const column = byKey.map((columns) => columns.get(key)).find((one) => one !== undefined);
    const kind = READ.find(
      ({ metric, statistic }) => metric === column?.metric && statistic === column.statistic,
    );
    if (column === undefined || column.node === "" || kind === undefined) return [];
    const values = tables.flatMap((table, at) => {
      const own = byKey[at]?.get(key)?.values;
      return table.timesMs.map((_, row) => (own?.[row] ?? Number.NaN) * kind.factor);
    });
    return [{ service: column.node, metric: kind.name, unit: kind.unit, timesMs, values }];
  });
}

function keyOf({ node, metric, statistic }: Column): string {
  return JSON.stringify([node, metric, statistic]);
}

/**
 * The normal data moved by whole days, so that hours stay hours, until it ends before `beforeMs`; several
 * tables one after the other. It was measured in another month than the issues.
 */
export function movedBefore(normal: readonly Table[], beforeMs: number, stepMs: number): Table[] {
  let endMs = beforeMs;
  return normal
    .toReversed()
    .map((table) => {
      const lastMs = (table.timesMs.at(-1) ?? 0) + stepMs;
      const days = Math.ceil((lastMs - endMs) / DAY_MS);
      const timesMs = table.timesMs.map((timeMs) => timeMs - days * DAY_MS);
      endMs = timesMs[0] ?? endMs;
      return { ...table, timesMs };
    })
    .toReversed();
}

/**
 * The first `samples` samples whose interval lies mostly after `fromMs`; the last ones when there are
 * none. Undefined for a table without samples.
 */
export function windowFrom(
  timesMs: readonly number[],
  fromMs: number,
  { stepMs, samples }: { readonly stepMs: number; readonly samples: number },
): Window | undefined {
  const startMs =
    timesMs.find((timeMs) => timeMs + stepMs / 2 >= fromMs) ??
    timesMs[Math.max(0, timesMs.length - samples)];
  return startMs === undefined ? undefined : { startMs, endMs: startMs + samples * stepMs };
}
