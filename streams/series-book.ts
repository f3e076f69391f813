/**
 * The long memory of metrics: a detector (series/detector.ts) for each series, fed with what is new in each
 * window, saved and loaded a service at a time. It decides nothing; a series it has no place for is left
 * out and counted. Windows may come again or late: a sample is learnt once.
 */
import { gunzipSync, gzipSync } from "node:zlib";
import { z } from "zod";
import { limits, messageOf, PetrelError, type Window } from "../core/mod.ts";
import type { Series } from "./model.ts";
import { SeriesDetector, type SeriesReading } from "./series/detector.ts";

const VERSION = 1;
const UNPACKED_BYTES_MAX = 64 * 1024 * 1024;

interface Remembered {
  readonly service: string;
  readonly detector: SeriesDetector;
  /** Times of the first and the last sample learnt. */
  firstMs: number;
  lastMs: number;
}

export interface BookReading extends SeriesReading {
  /** How long the series has been remembered. */
  readonly rememberedMs: number;
}

export interface BookReadings {
  /** The strangest reading of the window, by {@link seriesKey}; absent where none was judged. */
  readonly readings: ReadonlyMap<string, BookReading>;
  /** Series for which there was no place. */
  readonly left: number;
}

const Saved = z.strictObject({
  version: z.literal(VERSION),
  service: z.string().max(200),
  series: z.array(
    z.strictObject({
      key: z.string().max(600),
      firstMs: z.number(),
      lastMs: z.number(),
      state: z.unknown(),
    }),
  ),
});

/** What tells a series apart: service, instance and metric. */
export function seriesKey({ service, instance = "", metric }: Series): string {
  return `${service}\n${instance}\n${metric}`;
}

export class SeriesBook {
  readonly #max: number;
  /** Those untouched for longest first. */
  readonly #series = new Map<string, Remembered>();

  constructor(max: number = limits.SERIES_REMEMBERED_MAX) {
    this.#max = max;
  }

  /** Series remembered. */
  get size(): number {
    return this.#series.size;
  }

  get services(): string[] {
    return [...new Set([...this.#series.values()].map(({ service }) => service))];
  }

  /**
   * Learns the samples up to the window's end that are new, and answers how strange those of the window
   * are. Series beyond the bound find no place: the first ones given are kept.
   */
  read(series: readonly Series[], window: Window): BookReadings {
    const readings = new Map<string, BookReading>();
    const keys = new Set(series.map(seriesKey));
    let left = 0;
    for (const one of series) {
      const key = seriesKey(one);
      const remembered = this.#open(key, one.service, keys);
      if (remembered === undefined) left += 1;
      const reading = remembered && learn(remembered, one, window);
      if (reading !== undefined) readings.set(key, reading);
    }
    return { readings, left };
  }

  /** Everything known of one service's series, compressed; undefined when nothing is. */
  save(service: string): Uint8Array | undefined {
    const own = [...this.#series].filter(
      ([, one]) => one.service === service && Number.isFinite(one.lastMs),
    );
    if (own.length === 0) return undefined;
    const series = own.map(([key, { firstMs, lastMs, detector }]) => ({
      key,
      firstMs,
      lastMs,
      state: detector.snapshot(),
    }));
    return gzipSync(JSON.stringify({ version: VERSION, service, series }));
  }

  /** Takes up what {@link save} wrote. Throws PROTOCOL_VIOLATION for anything else; then nothing is taken. */
  load(bytes: Uint8Array): void {
    const { service, series } = unpack(bytes);
    const loaded = series.map(({ key, firstMs, lastMs, state }) => ({
      key,
      remembered: { service, firstMs, lastMs, detector: SeriesDetector.restore(state) },
    }));
    for (const { key, remembered } of loaded) {
      if (this.#series.size < this.#max) this.#series.set(key, remembered);
    }
  }

  /** The series' place; a new one takes that of a series nobody asks for any more. */
  #open(key: string, service: string, asked: ReadonlySet<string>): Remembered | undefined {
    const known = this.#series.get(key);
    if (known !== undefined) {
      this.#series.delete(key);
      this.#series.set(key, known);
      return known;
    }
    if (this.#series.size >= this.#max) {
      const oldest = this.#series.keys().next().value;
      if (oldest === undefined || asked.has(oldest)) return undefined;
      this.#series.delete(oldest);
    }
    const remembered: Remembered = {
      service,
      detector: new SeriesDetector(),
      firstMs: Number.POSITIVE_INFINITY,
      lastMs: Number.NEGATIVE_INFINITY,
    };
    this.#series.set(key, remembered);
    return remembered;
  }
}

function learn(
  remembered: Remembered,
  { timesMs, values }: Series,
  window: Window,
): BookReading | undefined {
  let strangest: SeriesReading | undefined;
  for (let at = 0; at < timesMs.length; at++) {
    const timeMs = timesMs[at] ?? Number.NaN;
    if (!(timeMs > remembered.lastMs && timeMs <= window.endMs)) continue;
    const reading = remembered.detector.update(timeMs, values[at] ?? Number.NaN);
    remembered.lastMs = timeMs;
    remembered.firstMs = Math.min(remembered.firstMs, timeMs);
    if (timeMs <= window.startMs || reading.skipped !== undefined) continue;
    if (strangest === undefined || reading.score > strangest.score) strangest = reading;
  }
  const rememberedMs = window.startMs - remembered.firstMs;
  return strangest && { ...strangest, rememberedMs };
}

function unpack(bytes: Uint8Array): z.infer<typeof Saved> {
  try {
    const text = gunzipSync(bytes, { maxOutputLength: UNPACKED_BYTES_MAX }).toString("utf8");
    return Saved.parse(JSON.parse(text));
  } catch (error) {
    const words = `what was remembered of metrics: ${messageOf(error).slice(0, 300)}`;
    throw new PetrelError("PROTOCOL_VIOLATION", words, {}, error);
  }
}
