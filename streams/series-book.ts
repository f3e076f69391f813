/**
 * The long memory of metrics: a detector (series/detector.ts) for each series, fed with what is new in each
 * window, saved and loaded a service at a time. It decides nothing; a series it has no place for is left
 * out and counted. Windows may come again or late: a sample is learnt once.
 */
import { limits, type Window } from "../core/mod.ts";
import type { Series } from "./model.ts";
import { SeriesDetector, type SeriesReading } from "./series/detector.ts";
import {
  KEY_CHARS_MAX,
  PART_SERIES_MAX,
  packPart,
  type Remembered,
  SERVICE_CHARS_MAX,
  unpackPart,
} from "./series-book-saved.ts";
import { Episodes } from "./series-episodes.ts";

/** Samples learnt in one go: some 20 ms. */
const CHUNK_SAMPLES = 2_000;
/** A series unseen for so long is not stored: its instance is gone. */
const STORED_MS = 86_400_000;

export interface BookReading extends SeriesReading {
  /** How long the series has been remembered. */
  readonly rememberedMs: number;
  /** How often a day the series is as strange as in the last hours; see {@link Episodes.usualPerDay}. */
  readonly usualPerDay: number | undefined;
}

export interface BookReadings {
  /** The strangest reading of the window, by {@link seriesKey}; absent where none was judged. */
  readonly readings: ReadonlyMap<string, BookReading>;
  /** Series for which there was no place, and those with the key of one before them. */
  readonly left: number;
}

/** A series' place, and what was answered for the last window. */
interface Place extends Remembered {
  answered?: { readonly window: Window; readonly reading: BookReading };
}

/** What tells a series apart: service, instance and metric. */
export function seriesKey({ service, instance = "", metric }: Series): string {
  return `${service}\n${instance}\n${metric}`;
}

export class SeriesBook {
  readonly #max: number;
  /** Those untouched for longest first. */
  readonly #series = new Map<string, Place>();

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
   * are; the last window again gets the same answer. Series beyond the bound find no place: the first ones
   * given are kept.
   */
  read(series: readonly Series[], window: Window): BookReadings {
    const reading = this.reading(series, window);
    for (;;) {
      const step = reading.next();
      if (step.done) return step.value;
    }
  }

  /** As {@link read}, with a pause after every few milliseconds of work. */
  *reading(series: readonly Series[], window: Window): Generator<undefined, BookReadings> {
    const readings = new Map<string, BookReading>();
    const asked = new Set(series.map(seriesKey));
    const seen = new Set<string>();
    let left = 0;
    let samples = 0;
    for (const one of series) {
      const key = seriesKey(one);
      const place = seen.has(key) ? undefined : this.#open(key, one.service, asked);
      seen.add(key);
      if (place === undefined) left += 1;
      const reading = place && readingOf(place, one, window);
      if (reading !== undefined) readings.set(key, reading);
      samples += one.timesMs.length;
      if (samples < CHUNK_SAMPLES) continue;
      samples = 0;
      yield;
    }
    return { readings, left };
  }

  /**
   * What is known of one service's series that were seen in the day before `nowMs`: one part after the
   * other, each below {@link PART_SERIES_MAX} series. Nothing when there are none.
   */
  *save(service: string, nowMs: number): Generator<Uint8Array, undefined> {
    if (service.length > SERVICE_CHARS_MAX) return;
    const isKept = (key: string, one: Remembered) =>
      one.service === service && one.lastMs >= nowMs - STORED_MS && key.length <= KEY_CHARS_MAX;
    const own = [...this.#series].filter(([key, one]) => isKept(key, one));
    // In one order, so that a series stays in its part and a part is written once.
    own.sort(([one], [two]) => (one < two ? -1 : 1));
    const parts = Math.ceil(own.length / PART_SERIES_MAX);
    for (let at = 0; at < parts; at++) {
      const from = at * PART_SERIES_MAX;
      yield packPart(service, parts, own.slice(from, from + PART_SERIES_MAX));
    }
  }

  /**
   * Takes up a part that {@link save} wrote of `service`, and tells how many parts there are. What is in the
   * book stays as it is. A series of `asked` may take the place of one nobody asks for, the others only a
   * free one. Throws PROTOCOL_VIOLATION for anything else; then nothing is taken.
   */
  load(service: string, bytes: Uint8Array, asked: ReadonlySet<string> = new Set()): number {
    const { parts, series } = unpackPart(service, bytes);
    for (const [key, remembered] of series) {
      if (this.#series.has(key)) continue;
      if (asked.has(key) ? this.#makeRoom(asked) : this.#series.size < this.#max) {
        this.#series.set(key, remembered);
      }
    }
    return parts;
  }

  /** The series' place; a new one takes that of a series nobody asks for any more. */
  #open(key: string, service: string, asked: ReadonlySet<string>): Place | undefined {
    const known = this.#series.get(key);
    if (known !== undefined) {
      this.#series.delete(key);
      this.#series.set(key, known);
      return known;
    }
    if (!this.#makeRoom(asked)) return undefined;
    const place: Place = {
      service,
      detector: new SeriesDetector(),
      episodes: new Episodes(),
      firstMs: Number.POSITIVE_INFINITY,
      lastMs: Number.NEGATIVE_INFINITY,
    };
    this.#series.set(key, place);
    return place;
  }

  #makeRoom(asked: ReadonlySet<string>): boolean {
    if (this.#series.size < this.#max) return true;
    const oldest = this.#series.keys().next().value;
    if (oldest === undefined || asked.has(oldest)) return false;
    return this.#series.delete(oldest);
  }
}

function readingOf(place: Place, series: Series, window: Window): BookReading | undefined {
  const { answered } = place;
  const isSame = answered?.window.startMs === window.startMs;
  if (isSame && answered.window.endMs === window.endMs) return answered.reading;
  const reading = learn(place, series, window);
  if (reading !== undefined) place.answered = { window, reading };
  return reading;
}

function learn(place: Place, series: Series, window: Window): BookReading | undefined {
  const { timesMs, values } = series;
  let strangest: SeriesReading | undefined;
  for (let at = 0; at < timesMs.length; at++) {
    const timeMs = timesMs[at] ?? Number.NaN;
    if (!(timeMs > place.lastMs && timeMs >= 0 && timeMs <= window.endMs)) continue;
    const reading = place.detector.update(timeMs, values[at] ?? Number.NaN);
    place.lastMs = timeMs;
    place.firstMs = Math.min(place.firstMs, timeMs);
    if (reading.surprise !== undefined) place.episodes.learn(timeMs, reading.surprise);
    if (timeMs <= window.startMs || reading.skipped !== undefined) continue;
    if (strangest === undefined || reading.score > strangest.score) strangest = reading;
  }
  if (strangest === undefined) return undefined;
  const usualPerDay =
    strangest.surprise === undefined ? undefined : place.episodes.usualPerDay(window);
  return { ...strangest, usualPerDay, rememberedMs: window.startMs - place.firstMs };
}
