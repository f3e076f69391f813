/**
 * Recorded metrics cut to pieces and laid out anew. A gauge's samples keep their values; a counter goes
 * on from piece to piece by what it rose between two recorded samples, so that `rate()` gives the recorded
 * figures. Reads the OpenMetrics text that recordings write; no parser for the text of others.
 */
import type { Stretch } from "./lasting.ts";
import { END_OF_METRICS, sample } from "./openmetrics.ts";

interface Series {
  readonly name: string;
  readonly isCounter: boolean;
  readonly timesMs: number[];
  readonly values: number[];
}

/** A rise over a longer hole than this is nobody's: the recording says as much of its own counters. */
const HOLE_MS = 180_000;
const COUNTERS = new Set(["counter", "histogram", "summary"]);
const COUNTED = /_(?:total|count|sum|bucket)$/;

/** The text of `recorded` with its samples at the new times; heads of families stay as they are. */
export async function* recutMetrics(
  recorded: AsyncIterable<string>,
  stretches: readonly Stretch[],
): AsyncGenerator<string> {
  let type = "";
  let series: Series | undefined;
  for await (const line of linesOf(recorded)) {
    if (line.startsWith("#")) {
      if (series) yield laidOut(series, stretches);
      series = undefined;
      if (line === END_OF_METRICS.trim()) break;
      if (line.startsWith("# TYPE ")) type = line.slice(line.lastIndexOf(" ") + 1);
      yield `${line}\n`;
      continue;
    }
    const { name, value, timeMs } = readSample(line);
    if (series?.name !== name) {
      if (series) yield laidOut(series, stretches);
      series = { name, isCounter: isCounter(name, type), timesMs: [], values: [] };
    }
    series.timesMs.push(timeMs);
    series.values.push(value);
  }
  yield END_OF_METRICS;
}

async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of pieces) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** `name{labels} value seconds`; labels may hold blanks, the two numbers at the end do not. */
function readSample(line: string): { name: string; value: number; timeMs: number } {
  const atTime = line.lastIndexOf(" ");
  const atValue = line.lastIndexOf(" ", atTime - 1);
  const value = line.slice(atValue + 1, atTime);
  return {
    name: line.slice(0, atValue),
    value: value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value),
    timeMs: Math.round(Number(line.slice(atTime + 1)) * 1_000),
  };
}

function isCounter(series: string, type: string): boolean {
  return COUNTERS.has(type) && COUNTED.test(series.split("{", 1)[0] ?? "");
}

function laidOut(series: Series, stretches: readonly Stretch[]): string {
  const { name, timesMs, values } = series;
  const lines: string[] = [];
  let total = 0;
  for (const { atMs, from } of stretches) {
    const first = firstAtOrAfter(timesMs, from.startMs);
    for (let at = first; at < timesMs.length; at++) {
      const timeMs = timesMs[at] ?? Number.NaN;
      if (timeMs >= from.endMs) break;
      total += riseAt(series, at);
      const value = series.isCounter ? total : (values[at] ?? Number.NaN);
      lines.push(sample(name, value, atMs + timeMs - from.startMs));
    }
  }
  return lines.join("");
}

/** What a counter rose since the sample before; all of it where it began again. */
function riseAt({ timesMs, values }: Series, at: number): number {
  const [before, now] = [values[at - 1], values[at] ?? Number.NaN];
  const sinceMs = (timesMs[at] ?? 0) - (timesMs[at - 1] ?? 0);
  if (before === undefined || sinceMs > HOLE_MS || Number.isNaN(now - before)) return 0;
  return now >= before ? now - before : now;
}

function firstAtOrAfter(timesMs: readonly number[], timeMs: number): number {
  let low = 0;
  let high = timesMs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((timesMs[middle] ?? 0) < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
