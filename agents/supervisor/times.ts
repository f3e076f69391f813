/**
 * Makes one window of what a question says of time. UTC unless it names a zone. What cannot be is said,
 * never guessed: a time to come, a window that is too long or too long ago, several times at once.
 */
import type { Window } from "../../core/mod.ts";
import { DAY_MS, type Day, findMoments, HOUR_MS, MINUTE_MS, type Moments } from "./moments.ts";

export interface TimeLimits {
  /** Length of the windows that are looked at anyway: what is looked at around one instant. */
  readonly everyMs: number;
  /** Longest window. Default a day. */
  readonly windowMsMax?: number;
  /** How long ago a window may begin. Default a week. */
  readonly lookBackMsMax?: number;
}

export type TimeReading =
  | { readonly kind: "none" }
  | { readonly kind: "window"; readonly window: Window }
  /** `why`: a sentence for the person who asked. */
  | { readonly kind: "unclear"; readonly why: string };

const SINCE =
  /(?:^|[^\p{L}])(?:since|from|after|starting|seit|ab|depuis|a partir de|a partir das|des|desde|da|dal|dalle|dall)\W*$/u;
const UNTIL =
  /(?:^|[^\p{L}])(?:until|till|before|up to|bis|vor|jusqu ?'?a|avant|hasta|antes de|fino a|fino alle|prima delle|ate|antes das)\W*$/u;
/** Before a duration that ends now. */
const LASTING =
  /(?:^|[^\p{L}])(?:last|past|previous|since|for|in|within|over|during|letzten?|letzter|vergangenen?|seit|in den|dernieres?|derniers?|depuis|dans les|desde hace|ultimas?|ultimos?|ultimi|ultime|negli|nelle|nos|nas|da|ha|durante|en los|en las)(?: (?:the|last|past|den|der|les|los|las|os|as))*\W*$/u;
const AGO_BEFORE = /(?:^|[^\p{L}])(?:vor|il y a|hace)\W*$/u;
const SINCE_AGO_BEFORE = /(?:^|[^\p{L}])(?:desde hace|desde ha|seit vor)\W*$/u;
const AGO_AFTER = /^\W*(?:ago|fa|atras|back)(?!\p{L})/u;
const LAST_AFTER = /^\W*(?:last|dernieres?|derniers?|ultimas?|ultimos?|ultimi|passados?)(?!\p{L})/u;
const LAST_WITHIN = /last|past|letzte|dernier|ultim|passada/u;
/** Between a word such as `since` and its time. */
const FILLER =
  /(?:(?:at|about|around|the|um|gegen|vers|a|as|las|los|le|la|les|alle|yesterday|today|gestern|heute|hier|ayer|hoy|ieri|oggi|ontem|hoje)\W*)+$/u;

const SHORTEST_MS = MINUTE_MS;
const BEFORE_CHARS = 60;

/** The window a question names. Never throws. */
export function readTime(question: string, nowMs: number, bounds: TimeLimits): TimeReading {
  const moments = findMoments(question);
  if (moments.unread !== undefined) return unclear(`I do not read the time "${moments.unread}".`);
  const named = moments.instants.length + moments.clocks.length;
  const isLost = named > 2 || moments.days.length > 2;
  if (isLost) return unclear("The question names more than two times.");
  const window = windowOf(moments.text, moments, nowMs, bounds);
  if (window === undefined) return { kind: "none" };
  return checked(window, nowMs, bounds);
}

function unclear(why: string): TimeReading {
  const how = 'Name it as in "since 14:40", "between 14:00 and 14:30" or "2026-11-21 14:40" (UTC).';
  return { kind: "unclear", why: `${why} ${how}` };
}

function windowOf(
  question: string,
  moments: Moments,
  nowMs: number,
  { everyMs }: TimeLimits,
): Window | undefined {
  const points = pointsOf(moments, nowMs);
  const [first, second] = points;
  if (first && second) {
    // `23:50 to 00:10` goes over midnight.
    const isOver = second.ms < first.ms && first.ms - second.ms > DAY_MS / 2;
    return { startMs: first.ms, endMs: isOver ? second.ms + DAY_MS : second.ms };
  }
  if (first) return around(question, first, nowMs, everyMs);
  const [from, to] = moments.days;
  if (from) {
    const startMs = midnight(from, nowMs);
    const isSince = SINCE.test(question.slice(Math.max(0, from.at - BEFORE_CHARS), from.at));
    const endMs = isSince && !to ? nowMs : (to ? midnight(to, nowMs) : startMs) + DAY_MS;
    return { startMs, endMs: startMs < nowMs ? Math.min(endMs, nowMs) : endMs };
  }
  return spanWindow(question, moments, nowMs, everyMs);
}

interface Point {
  readonly ms: number;
  /** Where in the question it begins, its day included. */
  readonly at: number;
}

/** Instants and clocks with their days, in the question's order. */
function pointsOf({ instants, clocks, days }: Moments, nowMs: number): Point[] {
  const zone = clocks.find(({ offsetMs }) => offsetMs !== undefined)?.offsetMs ?? 0;
  const timed = clocks.map(({ ms, at, offsetMs = zone }, index): Point => {
    const day = days.length === clocks.length ? days[index] : days[0];
    const base = day ? midnight(day, nowMs + offsetMs) : midnight({ back: 0 }, nowMs + offsetMs);
    const utc = base + ms - offsetMs;
    // At half past midnight, `since 23:50` means yesterday.
    const isYesterday = day === undefined && utc - nowMs > DAY_MS / 2;
    return { ms: isYesterday ? utc - DAY_MS : utc, at: Math.min(at, day?.at ?? at) };
  });
  return [...instants, ...timed].sort((a, b) => a.at - b.at);
}

/** One point of time: from it, up to it, or around it. */
function around(question: string, { ms, at }: Point, nowMs: number, everyMs: number): Window {
  const before = question.slice(Math.max(0, at - BEFORE_CHARS), at);
  const marked = before.replace(FILLER, "");
  if (SINCE.test(before) || SINCE.test(marked)) return { startMs: ms, endMs: nowMs };
  if (UNTIL.test(before) || UNTIL.test(marked)) return { startMs: ms - 2 * everyMs, endMs: ms };
  // A time to come stays one, for the check to see.
  return { startMs: ms > nowMs ? ms : ms - everyMs, endMs: ms + everyMs };
}

/** `last 30 minutes`, `for two hours`, `30 minutes ago`; a duration of something else is none of ours. */
function spanWindow(
  question: string,
  { spans }: Moments,
  nowMs: number,
  everyMs: number,
): Window | undefined {
  for (const { at, end, ms } of spans) {
    const before = question.slice(Math.max(0, at - BEFORE_CHARS), at);
    const after = question.slice(end, end + BEFORE_CHARS);
    const own = question.slice(at, end);
    const startMs = nowMs - ms;
    const isAgo = AGO_AFTER.test(after) || AGO_BEFORE.test(before);
    if (SINCE_AGO_BEFORE.test(before) || (isAgo && SINCE.test(before)))
      return { startMs, endMs: nowMs };
    if (isAgo) return around(question, { ms: startMs, at }, nowMs, everyMs);
    if (LASTING.test(before) || LAST_AFTER.test(after) || LAST_WITHIN.test(own))
      return { startMs, endMs: nowMs };
  }
  return undefined;
}

/** The beginning of a day, in milliseconds of the zone that `nowMs` is given in. */
function midnight(day: { readonly back: number } | Day, nowMs: number): number {
  const today = Math.floor(nowMs / DAY_MS) * DAY_MS;
  if ("back" in day) return today - day.back * DAY_MS;
  const year = day.year ?? new Date(nowMs).getUTCFullYear();
  const ms = Date.UTC(year, day.month - 1, day.day);
  // `31.12.` in January is of last year.
  return day.year === undefined && ms > nowMs ? Date.UTC(year - 1, day.month - 1, day.day) : ms;
}

function checked({ startMs, endMs }: Window, nowMs: number, bounds: TimeLimits): TimeReading {
  const { windowMsMax = DAY_MS, lookBackMsMax = 7 * DAY_MS } = bounds;
  if (!Number.isSafeInteger(Math.trunc(startMs)) || !Number.isSafeInteger(Math.trunc(endMs)))
    return unclear("I do not read that time.");
  if (startMs >= nowMs)
    return unclear(`${instant(startMs)} is still to come: it is ${instant(nowMs)}.`);
  if (endMs <= startMs) return unclear("The end is not after the start.");
  // Now is the second that has passed: no log line is younger.
  const end = Math.min(Math.ceil(endMs), Math.floor(nowMs / 1_000) * 1_000);
  const start = Math.min(Math.floor(startMs), end - SHORTEST_MS);
  if (end - start > windowMsMax)
    return unclear(
      `That is ${hours(end - start)}; I look at no more than ${hours(windowMsMax)} at once.`,
    );
  if (nowMs - start > lookBackMsMax)
    return unclear(
      `That is ${hours(nowMs - start)} ago; I look back no more than ${hours(lookBackMsMax)}.`,
    );
  return { kind: "window", window: { startMs: start, endMs: end } };
}

/** `2026-11-21 14:40 UTC`. */
function instant(ms: number): string {
  const iso = new Date(Math.min(Math.max(ms, -8e15), 8e15)).toISOString();
  return `${iso.slice(0, -8).replace("T", " ")} UTC`;
}

function hours(ms: number): string {
  const h = Math.round((ms / HOUR_MS) * 10) / 10;
  return h >= 48 ? `${Math.round(h / 24)} days` : `${h} hours`;
}
