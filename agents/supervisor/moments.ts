/**
 * Finds what a question says of time: instants, clocks, days, durations. It reads words and decides
 * nothing; times.ts makes a window of them. Every pattern is linear in a question that is bounded.
 */
import { parseInstantMs } from "../../core/mod.ts";
import { folded } from "./text.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** A place in the question, from `at` to before `end`. */
interface Placed {
  readonly at: number;
  readonly end: number;
}
export interface Instant extends Placed {
  readonly ms: number;
}
export interface Clock extends Placed {
  /** Since midnight. */
  readonly ms: number;
  /** East of UTC; undefined where the question names no zone. */
  readonly offsetMs: number | undefined;
}
export type Day = Placed &
  ({ readonly back: number } | { readonly year: number | undefined; month: number; day: number });
export interface Span extends Placed {
  readonly ms: number;
}

export interface Moments {
  /** The question, folded. */
  readonly text: string;
  readonly instants: readonly Instant[];
  readonly clocks: readonly Clock[];
  readonly days: readonly Day[];
  readonly spans: readonly Span[];
  /** A time that is written in a way we do not read, as the question has it. */
  readonly unread: string | undefined;
}

/** Hours east of UTC. In capitals alone: `est` is French, `ist` German, and `cet` French again. */
const ZONES: Readonly<Record<string, number>> = {
  WET: 0,
  WEST: 1,
  CET: 1,
  MEZ: 1,
  CEST: 2,
  MESZ: 2,
  EET: 2,
  EEST: 3,
  EST: -5,
  EDT: -4,
  PST: -8,
  PDT: -7,
  JST: 9,
  SGT: 8,
  HKT: 8,
};
const NAMED_ZONE = new RegExp(
  String.raw`(\d\s?(?:[aApP][mM]\s?)?)(${Object.keys(ZONES).join("|")})(?![\p{L}\d])`,
  "gu",
);
/** Names that mean several zones. */
const UNSURE_ZONE = /[\d:]{1,8}\s?(?:[aApP][mM]\s?)?(?:IST|CST|BST|AST|MST|CDT|MDT)(?![\p{L}\d])/u;
const ZONE = String.raw`(?:\s?(?<zone>(?:utc|gmt)(?:[+-]\d{1,2}(?::?[0-5]\d)?)?|z|[+](?:0\d|1[0-4]):?[0-5]\d)(?![\p{L}\d]))?`;
// Scripts that write without spaces may touch a time.
const NOT_BEFORE = String.raw`(?<![\p{Script=Latin}\d.:/+_-])`;

const INSTANT =
  /\d{4}-\d\d-\d\d[t ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:z|[+-]\d\d:?\d\d)(?![\d:])/gu;
const CLOCKS = [
  new RegExp(
    String.raw`${NOT_BEFORE}(?<h>\d{1,2}):(?<m>[0-5]\d)(?::(?<s>[0-5]\d)(?:[.,]\d{1,9})?)?(?![\d:])(?:\s?(?<half>[ap])\.?m\.?(?![\p{L}\d]))?(?:\s?uhr)?${ZONE}`,
    "gu",
  ),
  new RegExp(String.raw`${NOT_BEFORE}(?<h>\d{1,2})\s?h\s?(?<m>[0-5]\d)(?![\d\p{L}])${ZONE}`, "gu"),
  new RegExp(
    String.raw`${NOT_BEFORE}(?<h>\d{1,2})(?:[.](?<m>[0-5]\d))?\s?uhr(?:\s(?<m2>[0-5]\d)(?!\d))?(?![\p{L}\d])${ZONE}`,
    "gu",
  ),
  new RegExp(
    String.raw`${NOT_BEFORE}(?<h>\d{1,2})(?:[.](?<m>[0-5]\d))?\s?(?<half>[ap])\.?m\.?(?![\p{L}\d])${ZONE}`,
    "gu",
  ),
  // `14h` is a time of day; `2h` is two hours, but behind a word that asks for a time of day.
  new RegExp(
    String.raw`(?<=(?:^|[^\p{L}])(?:a|as|aos|alle|dalle|las|das|um|at|from|de|depuis|desde|seit|since|entre|et|e|y)\s)(?<h>1[3-9]|2[0-3])\s?h(?![\p{L}\d])${ZONE}`,
    "gu",
  ),
  new RegExp(
    String.raw`(?<=(?:^|[^\p{L}])(?:a|as|aos|at|um)\s)(?<h>\d{1,2})\s?h(?:rs|s)?(?![\p{L}\d])${ZONE}`,
    "gu",
  ),
];

const DATES =
  /(?<![\d-])(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)(?!\d|-)|(?<![\d.])(?<day2>\d{1,2})\.(?<month2>\d{1,2})\.(?<year2>\d{4})?(?!\d)/gu;
const DAY_WORDS: readonly (readonly [number, RegExp])[] = [
  [
    2,
    /(?<!\p{L})(?:the day before yesterday|day before yesterday|vorgestern|avant-hier|anteayer|antier|l'altro ieri|altroieri|anteontem)(?!\p{L})/gu,
  ],
  [1, /(?<!\p{L})(?:yesterday|gestern|hier|ayer|ieri|ontem|last night|letzte nacht)(?!\p{L})/gu],
  [0, /(?<!\p{L})(?:today|heute|aujourd['’]hui|hoy|oggi|hoje|tonight)(?!\p{L})/gu],
];

const UNITS: readonly (readonly [number, string])[] = [
  [1_000, "s|sec|secs|second|seconds|sekunden?|secondes?|segundos?|secondi"],
  [MINUTE_MS, "m|min|mins|minutes?|minuten?|minutos?|minuti"],
  [HOUR_MS, "h|hr|hrs|hours?|stunden?|std|heures?|horas?|ore|ora"],
  [DAY_MS, "d|days?|tage?n?|jours?|dias?|giorni|giorno"],
  [7 * DAY_MS, "weeks?|wochen?|semaines?|semanas?|settimane|settimana"],
];
const ONE = "an?|one|einer|einem|einen|eine|une|un|una|uma|um";
const HALF = "half an|half|halben|halbe|demi|media|mezz'|mezza|meia";
const LAST =
  "last|past|letzte|letzten|letzter|derniere|dernier|dernieres|derniers|ultima|ultimo|ultimas|ultimos|ultimi|ultime|passada";
const SPANS: readonly (readonly [number, RegExp])[] = UNITS.map(([ms, names]) => [
  ms,
  new RegExp(
    String.raw`(?<![\p{L}\d.:/_-])(?:(?<n>\d{1,5}(?:[.,]\d{1,2})?)\s?(?:(?:${LAST})\s)?|(?:(?:${ONE})\s)?(?<half>(?:${HALF})[\s-]?)|(?:(?:${ONE}|${LAST})\s))(?:${names})(?![\p{L}\d])`,
    "gu",
  ),
]);

const WEEKDAYS =
  "monday|tuesday|wednesday|thursday|friday|saturday|sunday|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|miercoles|jueves|viernes|sabado|domingo|lunedi|martedi|mercoledi|giovedi|venerdi|sabato|domenica|segunda-feira|terca-feira|quarta-feira|quinta-feira|sexta-feira";
const MONTHS =
  "january|february|march|april|june|july|august|september|october|november|december|januar|februar|marz|juni|juli|oktober|dezember|janvier|fevrier|mars|avril|juin|juillet|aout|septembre|octobre|novembre|decembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre|janeiro|fevereiro|marco|maio|junho|julho|setembro|outubro|novembro|dezembro|jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec";
const UNREAD = new RegExp(
  String.raw`(?<!\p{L})(?:${WEEKDAYS})(?!\p{L})|(?<![\d.])\d{1,2}(?:st|nd|rd|th|\.|er)?\s(?:de\s|of\s)?(?:${MONTHS})(?!\p{L})|(?<!\p{L})(?:${MONTHS})\s\d{1,2}(?:st|nd|rd|th)?(?![\d:\p{L}])|(?<![\d/])\d{1,4}/\d{1,2}/\d{1,4}(?![\d/])`,
  "u",
);

/** What a question says of time; places are those of {@link Moments.text}. Never throws. */
export function findMoments(question: string): Moments {
  const text = folded(
    question.replace(NAMED_ZONE, (_, time: string, name: string) => {
      const hours = ZONES[name] ?? 0;
      return `${time.trimEnd()} utc${hours < 0 ? "" : "+"}${hours}`;
    }),
  );
  // `14:00-14:30` is from and to, and no time in a zone eleven hours west.
  const page = new Page(
    text
      .replace(/(\d\d?:\d\d)\s?[-–—]\s?(?=\d\d?:\d\d(?!\d))/gu, (all, clock: string) =>
        clock.padEnd(all.length),
      )
      .replace(/(\d\s?h)\s?[-–—]\s?(?=\d)/gu, (all, hour: string) => hour.padEnd(all.length)),
  );
  const instants = page.take(INSTANT, instantOf);
  const unread = UNSURE_ZONE.exec(question)?.[0] ?? UNREAD.exec(page.text)?.[0];
  const days = [
    ...page.take(DATES, dateOf),
    ...DAY_WORDS.flatMap(([back, pattern]) => page.take(pattern, () => ({ back }))),
  ];
  const clocks = CLOCKS.flatMap((pattern) => page.take(pattern, clockOf));
  const spans = SPANS.flatMap(([unitMs, pattern]) => page.take(pattern, (m) => spanOf(m, unitMs)));
  const unsure = clocks.find(({ offsetMs }) => Number.isNaN(offsetMs));
  return {
    text,
    instants,
    clocks: clocks.sort(byPlace),
    days: days.sort(byPlace),
    spans: spans.sort(byPlace),
    unread: unread ?? (unsure && text.slice(unsure.at, unsure.end).trim()),
  };
}

/** A question from which what was read is taken away. */
class Page {
  text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** Every match that `read` makes sense of, blanked out so that nothing else reads it. */
  take<T>(pattern: RegExp, read: (match: RegExpExecArray) => T | undefined): (T & Placed)[] {
    const found: (T & Placed)[] = [];
    for (const match of this.text.matchAll(pattern)) {
      const value = read(match);
      if (value === undefined) continue;
      found.push({ ...value, at: match.index, end: match.index + match[0].length });
    }
    for (const { at, end } of found)
      this.text = this.text.slice(0, at) + " ".repeat(end - at) + this.text.slice(end);
    return found;
  }
}

function instantOf([text]: RegExpExecArray): { ms: number } | undefined {
  // With a space between, a minus is from and to: `2026-11-21 10:00-11:00`.
  if (/^\S+ \S*-\d\d:?\d\d$/.test(text)) return undefined;
  try {
    return { ms: parseInstantMs(text.toUpperCase()) };
  } catch {
    return undefined;
  }
}

function dateOf({ groups = {} }: RegExpExecArray) {
  const year = groups["year"] ?? groups["year2"];
  const month = Number(groups["month"] ?? groups["month2"]);
  const day = Number(groups["day"] ?? groups["day2"]);
  if (month < 1 || month > 12 || day < 1 || day > 31) return undefined;
  return { year: year === undefined ? undefined : Number(year), month, day };
}

function clockOf({ groups = {} }: RegExpExecArray): Omit<Clock, keyof Placed> | undefined {
  const hour = Number(groups["h"]);
  const half = groups["half"];
  const minutes = Number(groups["m"] ?? groups["m2"] ?? 0);
  if (hour > 23) return undefined;
  // `14:40 am` is German, and says nothing of the half of the day.
  const isHalf = half !== undefined && hour >= 1 && hour <= 12;
  const hours = isHalf ? (hour % 12) + (half === "p" ? 12 : 0) : hour;
  const ms = hours * HOUR_MS + minutes * MINUTE_MS + Number(groups["s"] ?? 0) * 1_000;
  return { ms, offsetMs: offsetOf(groups["zone"]) };
}

/** NaN for one that there is not. */
function offsetOf(zone: string | undefined): number | undefined {
  if (zone === undefined) return undefined;
  if (/^(?:z|utc|gmt)$/.test(zone)) return 0;
  const [, sign, hours, minutes] = /([+-])(\d{1,2}):?(\d\d)?$/.exec(zone) ?? [];
  if (sign === undefined || Number(hours) > 14) return Number.NaN;
  const ms = Number(hours) * HOUR_MS + Number(minutes ?? 0) * MINUTE_MS;
  return sign === "-" ? -ms : ms;
}

function spanOf({ groups = {} }: RegExpExecArray, unitMs: number): { ms: number } {
  const n = groups["n"];
  if (n === undefined) return { ms: groups["half"] === undefined ? unitMs : unitMs / 2 };
  return { ms: Number(n.replace(",", ".")) * unitMs };
}

function byPlace(a: Placed, b: Placed): number {
  return a.at - b.at;
}
