/**
 * Reads PetShop's tables: `metrics.csv` with three rows of column names (node, metric, statistic) and one
 * for the name of the index, and `graph.csv`, an adjacency matrix. It decides nothing; a cell that is no
 * number is an error that names file, row and column, and an empty one a missing sample.
 */
import { PetrelError } from "../../core/mod.ts";
import type { Dependency } from "../../streams/mod.ts";

export interface Column {
  readonly node: string;
  /** `latency` in seconds, `requests` per sample, `availability` in percent. */
  readonly metric: string;
  /** `Average`, `p50`, … or `Sum`. */
  readonly statistic: string;
  /** One per row; NaN where missing. */
  readonly values: readonly number[];
}

export interface Table {
  readonly file: string;
  /** Start of each sample's interval, milliseconds UTC, ascending. */
  readonly timesMs: readonly number[];
  readonly columns: readonly Column[];
}

const BYTES_MAX = 64 * 1024 * 1024;
const HEADERS = 3;
const MISSING = new Set(["", "nan", "na", "null", "none"]);

/** Throws USAGE for a table that is not of PetShop's form. */
export function parseMetrics(file: string, text: string): Table {
  const rows = rowsOf(file, text);
  const heads = rows.slice(0, HEADERS);
  if (heads.length < HEADERS || heads[1]?.cells[0] !== "metric") {
    throw broken(file, 2, 1, "three rows of column names were expected: node, metric, statistic");
  }
  const width = heads[0]?.cells.length ?? 0;
  const body = rows.slice(HEADERS).filter(({ cells }) => !isIndexName(cells));
  for (const { cells, line } of rows.slice(1)) {
    if (cells.length !== width && !isIndexName(cells)) {
      throw broken(file, line, Math.min(cells.length, width) + 1, `${width} cells were expected`);
    }
  }
  const timed = body
    .map((row) => ({ ...row, timeMs: 1_000 * timeOf(file, row) }))
    .sort((a, b) => a.timeMs - b.timeMs);
  const columns = Array.from({ length: Math.max(0, width - 1) }, (_, index) => {
    const at = index + 1;
    const name = (level: number) => heads[level]?.cells[at] ?? "";
    return {
      node: name(0),
      metric: name(1),
      statistic: name(2),
      values: timed.map((row) => numberIn(file, row, at)),
    };
  });
  return { file, timesMs: timed.map(({ timeMs }) => timeMs), columns };
}

/** The row that only names the index: `unix_timestamp,,,`. */
function isIndexName(cells: readonly string[]): boolean {
  return /^[a-z_ ]+$/i.test(cells[0] ?? "") && cells.slice(1).every((cell) => cell === "");
}

interface CsvRow {
  /** From 1, as an editor counts. */
  readonly line: number;
  readonly cells: readonly string[];
}

function timeOf(file: string, row: CsvRow): number {
  const seconds = Number(row.cells[0]);
  // A time in another unit, or none, would put the whole row beside the others.
  if (row.cells[0] === "" || !(seconds > 0 && seconds < 1e11)) {
    throw broken(file, row.line, 1, `"${clipped(row.cells[0])}" is no time in seconds`);
  }
  return seconds;
}

function numberIn(file: string, { cells, line }: CsvRow, at: number): number {
  const cell = cells[at] ?? "";
  if (MISSING.has(cell.toLowerCase())) return Number.NaN;
  const value = Number(cell);
  if (!Number.isFinite(value)) {
    throw broken(file, line, at + 1, `"${clipped(cell)}" is no number`);
  }
  return value;
}

/**
 * Calls from the adjacency matrix: a 1 in the row of A under B means that A calls B. The data shows it:
 * the row of the front end, PetSite, names what it needs, and databases have empty rows. Throws USAGE.
 */
export function parseGraph(file: string, text: string): Dependency[] {
  const [head, ...rows] = rowsOf(file, text);
  const names = head?.cells ?? [];
  if (names.length < 2) throw broken(file, 1, 2, "the names of the nodes were expected");
  return rows.flatMap((row) => {
    if (row.cells.length !== names.length) {
      throw broken(file, row.line, 1, `${names.length} cells were expected`);
    }
    const caller = row.cells[0] ?? "";
    return row.cells.slice(1).flatMap((_, index) => {
      const callee = names[index + 1] ?? "";
      const calls = numberIn(file, row, index + 1) > 0 && callee !== caller;
      return calls && caller !== "" && callee !== "" ? [{ caller, callee, count: 1 }] : [];
    });
  });
}

function rowsOf(file: string, text: string): CsvRow[] {
  if (text.length > BYTES_MAX) {
    throw new PetrelError("USAGE", `${file}: larger than ${BYTES_MAX} bytes`);
  }
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  return lines.flatMap((line, index) =>
    line.trim() === "" ? [] : [{ line: index + 1, cells: cellsOf(line) }],
  );
}

/** Cells of one line; a quoted cell may hold commas, and doubled quotes for one. */
function cellsOf(line: string): string[] {
  if (!line.includes('"')) return line.split(",").map((cell) => cell.trim());
  const cells: string[] = [];
  let cell = "";
  let quoted = false;
  for (let at = 0; at < line.length; at++) {
    const char = line[at];
    if (char === '"' && quoted && line[at + 1] === '"') {
      cell += '"';
      at++;
    } else if (char === '"') quoted = !quoted;
    else if (char === "," && !quoted) {
      cells.push(cell.trim());
      cell = "";
    } else cell += char;
  }
  return [...cells, cell.trim()];
}

function clipped(text = ""): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function broken(file: string, row: number, column: number, why: string): PetrelError {
  return new PetrelError("USAGE", `${file}: row ${row}, column ${column}: ${why}`, {
    file,
    row,
    column,
  });
}
