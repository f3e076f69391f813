/**
 * `logs`, `logs-3m`, `logs-slow`: Splunk's export over HTTP into a window's summary, beside the reader
 * people write first, which takes the whole body as text and parses it line by line (it mines no
 * templates and counts nothing but rows). Stand-in and reader are two fresh processes for each run.
 */
import { startChild } from "../child.ts";
import { type Figure, figuresOf } from "../figure.ts";
import { type BenchContext, checkWork, Run, runRounds } from "../run.ts";
import type { Reader, ReaderTask } from "./reader.ts";
import { ServerReady, type ServerTask } from "./server.ts";
import type { SlowTask } from "./slow.ts";

const ROWS = 1_000_000;
const ROWS_MANY = 3_000_000;
const ROWS_SLOW = 60_000;
const ROWS_DISTINCT = [1_000_000, 10_000_000] as const;
const SLOWNESS = 100;

const START_TIMEOUT_MS = 20_000;
const RUN_TIMEOUT_MS = 300_000;

const LINES = { name: "lines", unit: "lines/s" } as const;
const BYTES = { name: "bytes", unit: "MB/s" } as const;
const PEAK = { name: "peak", unit: "MB" } as const;

/** Speed and memory, beside the naive reader; `supply` is how fast the stand-in alone can send. */
export async function benchLogs(context: BenchContext, rows = ROWS): Promise<Figure[]> {
  const reader = (name: Reader) => () => runReader("logs", name, { rows }, context);
  const sides = {
    petrel: reader("petrel"),
    naive: reader("naive"),
    nothing: reader("nothing"),
  };
  const { petrel, naive, nothing } = await runRounds("logs", sides, context);
  return [
    ...figuresOf("logs", [LINES, BYTES, PEAK], petrel, naive),
    ...figuresOf("logs", [{ name: "supply", unit: "lines/s", of: "lines" }], nothing),
  ];
}

/** The same with three times the rows: does memory stay? */
export async function benchLogsMany(context: BenchContext, rows = ROWS_MANY): Promise<Figure[]> {
  const sides = { petrel: () => runReader("logs-3m", "petrel", { rows }, context) };
  const { petrel } = await runRounds("logs-3m", sides, context);
  return figuresOf("logs-3m", [LINES, BYTES, PEAK], petrel);
}

/** Rows of which half say what no other says: one million and ten, once each. Speed and memory stay. */
export async function benchLogsDistinct(
  context: BenchContext,
  counts: readonly number[] = ROWS_DISTINCT,
): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const rows of counts) {
    const label = `logs-distinct-${rows / 1e6}m`;
    context.onProgress(`${label}: ${rows} rows`);
    const run = await runReader(label, "petrel", { rows, distinct: true }, context);
    figures.push(...figuresOf(label, [LINES, BYTES, PEAK], [run]));
  }
  return figures;
}

/**
 * What waits between the stand-in and a reader a hundred times slower; the peer takes all first. Run
 * once: it is a bound that is looked for, not a time.
 */
export async function benchLogsSlow(
  context: BenchContext,
  rows = ROWS_SLOW,
  slowness = SLOWNESS,
): Promise<Figure[]> {
  context.onProgress(`logs-slow: ${rows} rows, ${slowness} times slower than it can`);
  const paced = await runSlow({ rows, slowness }, context);
  const whole = await runSlow({ rows, slowness: 0 }, context);
  checkWork("logs-slow", whole, paced.work);
  const inFlight = { name: "in flight", unit: "MB", of: "inFlight" };
  return [
    ...figuresOf("logs-slow", [inFlight], [paced], [whole]),
    ...figuresOf("logs-slow", [LINES], [paced]),
  ];
}

async function runReader(
  label: string,
  reader: Reader,
  served: ServerTask,
  { signal }: BenchContext,
): Promise<Run> {
  const { rows } = served;
  await using server = startChild("logs/server.ts", served, signal);
  const { url } = await server.next(ServerReady, START_TIMEOUT_MS);
  const task: ReaderTask = { reader, url };
  await using child = startChild("logs/reader.ts", task, signal);
  const run = await child.next(Run, RUN_TIMEOUT_MS);
  checkWork(`${label}: ${reader}`, run, { ...run.work, rows });
  return run;
}

async function runSlow(task: SlowTask, { signal }: BenchContext): Promise<Run> {
  await using child = startChild("logs/slow.ts", task, signal);
  const run = await child.next(Run, RUN_TIMEOUT_MS);
  checkWork("logs-slow", run, { ...run.work, rows: task.rows });
  return run;
}
