/**
 * The numbers of a text, with their units, and whether another text says them. Tolerant of how people
 * round and write numbers, not of numbers nobody measured. Pure; linear in the text.
 */
import { comparable } from "./text.ts";

type Unit = "count" | "ms" | "percent" | "bytes" | "times";

export interface Quantity {
  readonly value: number;
  readonly unit: Unit;
  /** Of one unit as it was written: half a step is how far it may have been rounded. */
  readonly step: number;
}

/** The numbers of a text. `names` are words with a digit that are no number: `HikariPool-1`, `p95`. */
export interface Numbers {
  readonly quantities: readonly Quantity[];
  /** `14:20`, `14:20:24.940`, `2026-03-13`. */
  readonly moments: readonly string[];
  readonly names: readonly string[];
}

const UNITS: readonly (readonly [words: RegExp, unit: Unit, factor: number])[] = [
  [/^(?:ms|msec|millis|milliseconds?)$/, "ms", 1],
  [/^(?:s|secs?|seconds?)$/, "ms", 1_000],
  [/^(?:m|mins?|minutes?)$/, "ms", 60_000],
  [/^(?:h|hrs?|hours?)$/, "ms", 3_600_000],
  [/^(?:d|days?)$/, "ms", 86_400_000],
  [/^(?:weeks?)$/, "ms", 604_800_000],
  [/^(?:%|percent|pct|percentage)$/, "percent", 1],
  [/^(?:b|bytes?)$/, "bytes", 1],
  [/^(?:kb|kib)$/, "bytes", 1e3],
  [/^(?:mb|mib)$/, "bytes", 1e6],
  [/^(?:gb|gib)$/, "bytes", 1e9],
  [/^(?:x|fold|times)$/, "times", 1],
  [/^(?:k|thousand)$/, "count", 1e3],
  [/^(?:million|mio|mn)$/, "count", 1e6],
  [/^(?:billion|bn)$/, "count", 1e9],
];

const WORDS: Readonly<Record<string, readonly [value: number, unit: Unit, step: number]>> = {
  two: [2, "count", 1],
  three: [3, "count", 1],
  four: [4, "count", 1],
  five: [5, "count", 1],
  six: [6, "count", 1],
  seven: [7, "count", 1],
  eight: [8, "count", 1],
  nine: [9, "count", 1],
  ten: [10, "count", 1],
  eleven: [11, "count", 1],
  twelve: [12, "count", 1],
  fifteen: [15, "count", 1],
  twenty: [20, "count", 1],
  thirty: [30, "count", 1],
  forty: [40, "count", 1],
  fifty: [50, "count", 1],
  sixty: [60, "count", 1],
  ninety: [90, "count", 1],
  twice: [2, "times", 0.5],
  double: [2, "times", 0.5],
  doubled: [2, "times", 0.5],
  triple: [3, "times", 0.5],
  tripled: [3, "times", 0.5],
  tenfold: [10, "times", 2],
  half: [50, "percent", 10],
  third: [33, "percent", 6],
  quarter: [25, "percent", 6],
};
/** Words for a size; they say that a number lies between these. */
const SIZES: Readonly<Record<string, readonly [from: number, to: number]>> = {
  dozens: [20, 200],
  hundreds: [100, 2_000],
  thousands: [1_000, 2e6],
  millions: [1e6, 2e9],
  billions: [1e9, 2e12],
};

const MOMENT =
  /\b\d{4}-\d\d-\d\d(?:[t ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)?z?\b|\b\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?z?(?:\s?[ap]m)?\b/g;
const NUMBER =
  /^([+~≈±<>=]*)(\d{1,3}(?:[,'_]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:e\d{1,2})?)(?:-?([a-zµ%]+))?$/;

/** Reads a text. Never throws. */
export function numbersOf(text: string): Numbers {
  const joined = text.replace(/(?<=\b\d{1,3})[\u00a0\u2009\u202f](?=\d{3}\b)/g, "");
  const moments: string[] = [];
  const rest = comparable(joined).replace(MOMENT, (moment) => {
    moments.push(...momentsIn(moment));
    return " ; ";
  });
  const tokens = rest
    .replace(/[–—→/]|->/g, " ")
    .split(/[\s"()[\]{}<>;|=]+/)
    .map((token) => token.replace(/^[^\p{L}\p{N}%+~≈±$€£#]+|[^\p{L}\p{N}%]+$/gu, ""))
    .filter((token) => token !== "");
  const quantities: Quantity[] = [];
  const names: string[] = [];
  for (const [at, token] of tokens.entries()) {
    const read =
      wordNumber(token, tokens[at + 1]) ?? quantityOf(token, tokens[at + 1], tokens[at - 1]);
    if (read) quantities.push(read);
    else if (/\p{N}/u.test(token)) names.push(token);
  }
  return { quantities, moments, names };
}

function wordNumber(token: string, next = ""): Quantity | undefined {
  const found = Object.hasOwn(WORDS, token) ? WORDS[token] : undefined;
  if (found) {
    const [value, own, step] = found;
    const [, unit = own, factor = 1] = (own === "count" ? unitOf(next) : undefined) ?? [];
    return { value: value * factor, unit, step: step * factor };
  }
  const size = Object.hasOwn(SIZES, token) ? SIZES[token] : undefined;
  // Told as the middle of its span, rounded to the span.
  return size && { value: (size[0] + size[1]) / 2, unit: "count", step: size[1] - size[0] };
}

/** `1,200`, `30004ms`, `95 %`, `5-minute`, `x150`; undefined for what only holds a digit. */
function quantityOf(token: string, next = "", before = ""): Quantity | undefined {
  const bare = token.replace(/^[x×](?=\d)/, "");
  const [, , digits, attached] = NUMBER.exec(bare) ?? [];
  if (digits === undefined) return undefined;
  const isStatus = /^(?:http|https|status|code)$/.test(before);
  const unit = isStatus
    ? undefined
    : (unitOf(attached ?? "") ?? (attached ? undefined : unitOf(next)));
  if (attached !== undefined && unit === undefined && !isStatus) return undefined;
  const plain = digits.replace(/[,'_]/g, "");
  const factor = unit?.[2] ?? 1;
  const times = bare === token ? (unit?.[1] ?? "count") : "times";
  return { value: Number(plain) * factor, unit: times, step: stepOf(plain) * factor };
}

function unitOf(word: string) {
  // `150-fold`, `5-minute-long`: the first part is the unit.
  const [first = ""] = word.split("-", 1);
  return UNITS.find(([words]) => words.test(first));
}

/** `1200` may be rounded to hundreds, `1187` to nothing but itself, `1.25` to hundredths. */
function stepOf(plain: string): number {
  const [, decimals] = plain.split(".");
  if (decimals !== undefined) return 10 ** -decimals.replace(/e.*/, "").length;
  const zeros = /0*$/.exec(plain)?.[0].length ?? 0;
  return zeros < plain.length ? 10 ** zeros : 1;
}

/** A moment, and its parts: `2026-03-13 14:20` says `2026-03-13` and `14:20`. */
function momentsIn(text: string): string[] {
  const [, hour, rest = "", half] =
    /^(\d{1,2})(:\d\d(?::\d\d(?:[.,]\d+)?)?)z?\s?([ap]m)?$/.exec(text) ?? [];
  if (hour !== undefined) {
    const hours = (Number(hour) % (half ? 12 : 24)) + (half === "pm" ? 12 : 0);
    return [`${String(hours).padStart(2, "0")}${rest.replace(",", ".")}`];
  }
  return text.replace(/z$/, "").replace(",", ".").split(/[t ]/);
}

/** How far a rounded number may lie off, beyond half a step: two in a hundred. */
const ROUNDED_SHARE = 0.02;

/** Whether `said` is one of `known`, as it was rounded and in whatever unit it was written. */
export function isSaid(said: Quantity, known: readonly Quantity[]): boolean {
  return known.some((one) => isNear(said, one) || isShare(said, one));
}

function isNear(said: Quantity, known: Quantity): boolean {
  const isTimes = said.unit === "times" && known.unit === "count";
  if (said.unit !== known.unit && !isTimes) return false;
  const off = Math.abs(said.value - known.value);
  if (off === 0) return true;
  const isWord = said.step > 0.5 * said.value;
  const bound = 0.5 * said.step;
  const isExact = said.step <= 1 && said.unit === "count";
  if (isWord) return off <= bound;
  return off <= (isExact ? bound : Math.min(bound, Math.max(ROUNDED_SHARE * known.value, 0.0501)));
}

/** `94 %` of a share of 0.943, and the other way round. */
function isShare(said: Quantity, known: Quantity): boolean {
  if (said.unit === "percent" && known.unit === "count" && known.value > 0 && known.value <= 1) {
    return Math.abs(said.value - 100 * known.value) <= 0.5 * said.step;
  }
  if (said.unit === "count" && known.unit === "percent" && said.value < 1) {
    return Math.abs(100 * said.value - known.value) <= 50 * said.step;
  }
  return false;
}

/** Whether a moment is told: one that is more exact than ours begins with it. */
export function isMoment(said: string, known: readonly string[]): boolean {
  return known.some(
    (one) =>
      one === said ||
      one.startsWith(`${said}:`) ||
      one.startsWith(`${said}.`) ||
      (/^\d\d:\d\d:00(?:\.0+)?$/.test(said) && one === said.slice(0, 5)),
  );
}
