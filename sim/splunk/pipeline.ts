/** Runs a parsed search over a provider's batches, pulled by the reader, one batch at a time. */
import { type RowProvider, type RowQuery, type SimRow, timeMsOf } from "./rows.ts";
import type { SimCommand, SimSearch } from "./spl.ts";

type Rows = AsyncIterable<readonly SimRow[]>;

function pick(row: SimRow, fields: readonly string[]): SimRow {
  const kept: Record<string, string | readonly string[]> = {};
  for (const field of fields) {
    const value = row[field];
    if (value !== undefined) kept[field] = value;
  }
  return kept;
}

async function* mapRows(rows: Rows, change: (row: SimRow) => SimRow): Rows {
  for await (const batch of rows) yield batch.map(change);
}

async function* head(rows: Rows, rowsMax: number): Rows {
  let left = rowsMax;
  if (left === 0) return;
  for await (const batch of rows) {
    yield batch.slice(0, left);
    left -= batch.length;
    if (left <= 0) return;
  }
}

async function* countBy(rows: Rows, by: readonly string[]): Rows {
  const groups = new Map<string, { row: SimRow; count: number }>();
  for await (const batch of rows) {
    for (const each of batch) {
      const row = pick(each, by);
      if (Object.keys(row).length < by.length) continue; // as in Splunk: no value, no group
      const key = JSON.stringify(row);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { row, count: 1 });
      else group.count++;
    }
  }
  if (by.length === 0 && groups.size === 0) groups.set("", { row: {}, count: 0 });
  yield [...groups.values()].map(({ row, count }) => ({ ...row, count: String(count) }));
}

function without(row: SimRow, fields: readonly string[]): SimRow {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !fields.includes(name)));
}

function runCommand(rows: Rows, command: SimCommand): Rows {
  if (command.name === "head") return head(rows, command.rows);
  if (command.name === "stats") return countBy(rows, command.by);
  const { fields } = command;
  if (command.name === "table") return mapRows(rows, (row) => pick(row, fields));
  if (!command.keep) return mapRows(rows, (row) => without(row, fields));
  // As in Splunk: the internal fields stay unless they are taken out by name.
  return mapRows(rows, (row) => pick(row, ["_raw", "_time", ...fields]));
}

async function* matching(search: SimSearch, query: RowQuery, provider: RowProvider): Rows {
  for await (const batch of provider(query)) {
    yield batch.filter((row) => {
      const timeMs = timeMsOf(row);
      return timeMs >= query.earliestMs && timeMs < query.latestMs && search.matches(row);
    });
  }
}

/** The rows a search gives, in the provider's order. */
export function runSearch(search: SimSearch, query: RowQuery, provider: RowProvider): Rows {
  return search.commands.reduce(runCommand, matching(search, query, provider));
}
