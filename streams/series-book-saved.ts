/**
 * What a series book (series-book.ts) stores, and back. A store may hold anything: what is not ours, or is
 * of another service than the one asked for, is refused as a whole.
 */
import { gunzipSync, gzipSync } from "node:zlib";
import { z } from "zod";
import { messageOf, PetrelError } from "../core/mod.ts";
import { SeriesDetector } from "./series/detector.ts";
import { EPISODES_MAX, Episodes } from "./series-episodes.ts";

const VERSION = 2;
/** Of a part, on its way back: some four times the largest that is written. */
const UNPACKED_BYTES_MAX = 8 * 1024 * 1024;
/** A series takes at most 16 kB of text and 12 kB compressed, so a part stays below a message of NATS. */
export const PART_SERIES_MAX = 64;
/** Longer names are remembered, and not stored. */
export const SERVICE_CHARS_MAX = 200;
export const KEY_CHARS_MAX = 600;
/** The last instant a JavaScript date can hold. */
export const TIME_MAX_MS = 8.64e15;

export interface Remembered {
  readonly service: string;
  readonly detector: SeriesDetector;
  readonly episodes: Episodes;
  /** Times of the first and the last sample learnt. */
  firstMs: number;
  lastMs: number;
}

export interface Part {
  /** Of how many parts this is one. */
  readonly parts: number;
  readonly series: ReadonlyMap<string, Remembered>;
}

const Time = z.number().min(0).max(TIME_MAX_MS);

const Saved = z.strictObject({
  version: z.literal(VERSION),
  service: z.string().max(SERVICE_CHARS_MAX),
  parts: z.int().min(1).max(1_000),
  series: z
    .array(
      z.strictObject({
        key: z.string().max(KEY_CHARS_MAX),
        firstMs: Time,
        lastMs: Time,
        sinceMs: Time.optional(),
        episodes: z.array(z.tuple([Time, z.number().min(0)])).max(EPISODES_MAX),
        state: z.unknown(),
      }),
    )
    .max(PART_SERIES_MAX),
});

/** One part, compressed. */
export function packPart(
  service: string,
  parts: number,
  own: readonly (readonly [string, Remembered])[],
): Uint8Array {
  const series = own.map(([key, { firstMs, lastMs, detector, episodes }]) => ({
    key,
    firstMs,
    lastMs,
    sinceMs: episodes.state.sinceMs,
    episodes: episodes.state.list,
    state: detector.snapshot(),
  }));
  return gzipSync(JSON.stringify({ version: VERSION, service, parts, series }));
}

/** Throws PROTOCOL_VIOLATION for anything {@link packPart} did not write for this service. */
export function unpackPart(service: string, bytes: Uint8Array): Part {
  const saved = parsed(bytes);
  if (saved.service !== service) throw violation("it is of another service");
  const series = new Map<string, Remembered>();
  for (const { key, firstMs, lastMs, sinceMs, episodes, state } of saved.series) {
    if (!key.startsWith(`${service}\n`)) throw violation("a series of another service");
    if (firstMs > lastMs) throw violation("a series that ends before it begins");
    const known = new Episodes({ sinceMs, list: episodes });
    const detector = SeriesDetector.restore(state);
    series.set(key, { service, detector, episodes: known, firstMs, lastMs });
  }
  return { parts: saved.parts, series };
}

function parsed(bytes: Uint8Array): z.infer<typeof Saved> {
  try {
    const text = gunzipSync(bytes, { maxOutputLength: UNPACKED_BYTES_MAX }).toString("utf8");
    return Saved.parse(JSON.parse(text));
  } catch (error) {
    throw violation(messageOf(error).slice(0, 300), error);
  }
}

function violation(words: string, cause?: unknown): PetrelError {
  const message = `what was remembered of metrics: ${words}`;
  return new PetrelError("PROTOCOL_VIOLATION", message, {}, cause);
}
