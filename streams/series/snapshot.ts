/**
 * A detector's state as plain JSON, and back. What comes back is checked field by field, since a store may
 * hold anything: a snapshot of another version, a cut one, or none of ours. Numbers in bulk are little-endian
 * base64. At most 14 kB of text at a step of ten minutes or less, and 10 kB at an hour.
 */
import type { ClockState, Point } from "./detector.ts";
import type { KnownValues } from "./known-values.ts";
import { SeriesModel } from "./model.ts";
import { checkOptions, type SeriesOptions, type Tuning, WARMING_POINTS } from "./options.ts";
import { FEATURES, type Features } from "./slot-ring.ts";
import { Reader } from "./snapshot-reader.ts";
import { STRIDE_MAX, type Tail } from "./tail.ts";

const VERSION = 1;
const STEP_MAX_MS = 7 * 86_400_000;
const TIME_MAX_MS = 8.64e15;

/** Plain JSON; only `version` is a promise. */
export interface SeriesSnapshot {
  readonly version: number;
  readonly [field: string]: unknown;
}

export interface Decoded {
  readonly options: Required<SeriesOptions>;
  readonly clock: ClockState;
  readonly model: SeriesModel | undefined;
}

export function encodeSnapshot(
  options: Required<SeriesOptions>,
  clock: ClockState,
  model: SeriesModel | undefined,
): SeriesSnapshot {
  const { warming, previous, strayMs, strays } = clock;
  return {
    version: VERSION,
    ...options,
    warming: warming.flatMap(({ timeMs, value }) => [timeMs, value]),
    previous: previous === undefined ? [] : [previous.timeMs, previous.value],
    strays: strays === 0 ? [] : [strayMs, strays],
    ...(model === undefined ? {} : { model: encodeModel(model) }),
  };
}

function encodeModel(model: SeriesModel): Record<string, unknown> {
  const { season, rate } = model;
  return {
    stepMs: model.stepMs,
    last: model.ring.last,
    slots: model.slots,
    spread: model.spread,
    noise: model.noise,
    ring: toBase64(model.ring.toArray()),
    known: model.known.map(({ state }) => ({
      values: toBase64(state.values),
      seen: toBase64(state.seen),
    })),
    any: model.anyTails.map(encodeTail),
    anyMax: toBase64(model.anyMax),
    seasonal: model.seasonTails.map(encodeTail),
    seasonalMax: toBase64(model.seasonMax),
    season: { ...season.state },
    rate: { ...rate.state },
  };
}

function encodeTail(tail: Tail): Record<string, unknown> {
  const { maxima, ...rest } = tail.state;
  return { maxima: toBase64(maxima), ...rest };
}

/** Throws PROTOCOL_VIOLATION naming the place. */
export function decodeSnapshot(snapshot: unknown, tuning: Tuning): Decoded {
  const root = new Reader(snapshot, "snapshot");
  if (root.number("version") !== VERSION) throw root.wrong("version", `is not ${VERSION}`);
  const options = readOptions(root);
  const [strayMs = Number.NaN, strays = 0] = root.numbers("strays", 2);
  const clock: ClockState = {
    warming: readPoints(root, "warming", WARMING_POINTS),
    previous: readPoints(root, "previous", 1)[0],
    strayMs,
    strays,
  };
  if (!root.has("model")) return { options, clock, model: undefined };
  return { options, clock, model: readModel(root.object("model"), options.changeMin, tuning) };
}

function readOptions(root: Reader): Required<SeriesOptions> {
  const kind = root.text("kind");
  if (kind !== "gauge" && kind !== "counter") throw root.wrong("kind", "is no kind of series");
  return checkOptions({ kind, changeMin: root.number("changeMin", 0) });
}

function readPoints(root: Reader, field: string, pointsMax: number): Point[] {
  const flat = root.numbers(field, 2 * pointsMax);
  return Array.from({ length: flat.length >> 1 }, (_, index) => ({
    timeMs: flat[2 * index] ?? 0,
    value: flat[2 * index + 1] ?? 0,
  }));
}

function readModel(from: Reader, changeMin: number, tuning: Tuning): SeriesModel {
  const model = new SeriesModel(from.number("stepMs", 1, STEP_MAX_MS), changeMin, tuning);
  model.slots = from.number("slots", 0);
  model.spread = from.number("spread", 0);
  model.noise = from.number("noise", 0);
  const values = from.floats("ring", model.ring.length);
  if (values.length !== model.ring.length) throw from.wrong("ring", "has another length");
  model.ring.load(values, Math.floor(from.number("last", 0, TIME_MAX_MS / model.slotMs)));
  readKnown(from.list("known", FEATURES.length), model.known, tuning.knownMax);
  readTails(from.list("any", FEATURES.length), model.anyTails, tuning.blocksMax);
  readTails(from.list("seasonal", FEATURES.length), model.seasonTails, tuning.blocksMax);
  readMaxima(from, "anyMax", model.anyMax);
  readMaxima(from, "seasonalMax", model.seasonMax);
  const season = from.object("season");
  model.season.load({
    seasonalError: season.number("seasonalError", 0),
    otherError: season.number("otherError", 0),
    compared: season.number("compared", 0),
  });
  const rate = from.object("rate");
  model.rate.load({
    slots: rate.number("slots", 0),
    peaks: rate.numbers("peaks", PEAKS_MAX).sort((a, b) => b - a),
    heldPeak: rate.number("heldPeak", 0),
    heldAge: rate.number("heldAge", 0),
  });
  return model;
}

const PEAKS_MAX = 32;

function readKnown(from: Reader, into: readonly KnownValues[], valuesMax: number): void {
  into.forEach((known, index) => {
    const state = from.object(String(index));
    const values = state.floats("values", valuesMax);
    const seen = state.floats("seen", valuesMax);
    if (!isRising(values)) throw state.wrong("values", "is not in order");
    const isFit = seen.length === values.length && seen.every((slot) => Number.isFinite(slot));
    if (!isFit) throw state.wrong("seen", "does not fit the values");
    known.load({ values, seen });
  });
}

function readTails(from: Reader, tails: readonly Tail[], blocksMax: number): void {
  tails.forEach((tail, index) => {
    const state = from.object(String(index));
    const stride = state.number("stride", 1, STRIDE_MAX);
    const maxima = state.floats("maxima", blocksMax);
    if (maxima.some((maximum) => !(maximum >= 0))) throw state.wrong("maxima", "has no distance");
    tail.load({
      maxima,
      stride: Math.floor(stride),
      blocks: state.number("blocks", 0),
      blockMax: state.number("blockMax", 0),
      blockFill: state.number("blockFill", 0),
    });
  });
}

function readMaxima(from: Reader, field: string, into: Features): void {
  const bytes = from.bytes(field, 8 * into.length);
  if (bytes.length !== 8 * into.length) throw from.wrong(field, "has another length");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let f = 0; f < into.length; f++) {
    const value = view.getFloat64(8 * f, true);
    into[f] = value >= 0 && Number.isFinite(value) ? value : Number.NaN;
  }
}

function isRising(values: Float32Array): boolean {
  return values.every(
    (value, index) => Number.isFinite(value) && (index === 0 || value > (values[index - 1] ?? 0)),
  );
}

function toBase64(values: Float32Array | Float64Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");
}
