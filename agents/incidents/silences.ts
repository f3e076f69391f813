/** Which incidents are held back, and when: silences that people set, and maintenance that recurs. Pure. */
import { PetrelError } from "../../core/mod.ts";
import { SILENCES_BYTES_MAX, SILENCES_MAX } from "./book.ts";
import { Matcher, type Silence } from "./record.ts";

/** What matchers look at. */
export interface Silenceable {
  readonly service: string;
  readonly mechanism: string;
  readonly severity: string;
  readonly kind: string;
  readonly location?: string | undefined;
}

/** Recurs every week, in UTC; `to` before `from` is on the next day. */
export interface Maintenance {
  readonly days: readonly Weekday[];
  /** `HH:MM` */
  readonly from: string;
  readonly to: string;
  readonly matchers: readonly Matcher[];
  readonly comment: string;
}

export const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** The id that a head held back by maintenance bears; silences of people have ids of their own. */
export const MAINTENANCE_ID = "maintenance";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/**
 * The id of what holds an incident back in a window, if anything does. A silence of a person also holds
 * while it lasts by the clock, for the windows told then are of a moment ago.
 */
export function silencedBy(
  subject: Silenceable,
  window: { readonly start: string; readonly end: string },
  given: {
    readonly silences: readonly Silence[];
    readonly maintenance: readonly Maintenance[];
    readonly nowMs: number;
  },
): string | undefined {
  const [startMs, endMs] = [Date.parse(window.start), Date.parse(window.end)];
  const silence = given.silences.find(({ from, until, matchers }) => {
    const [fromMs, untilMs] = [Date.parse(from), Date.parse(until)];
    const holds =
      (startMs < untilMs && endMs > fromMs) || (given.nowMs >= fromMs && given.nowMs < untilMs);
    return holds && matchesAll(matchers, subject);
  });
  if (silence) return silence.id;
  const planned = given.maintenance.some(
    (one) => matchesAll(one.matchers, subject) && isDuring(one, startMs, endMs),
  );
  return planned ? MAINTENANCE_ID : undefined;
}

/**
 * The silences with one more. Those that are over are kept for windows that are caught up; they go, longest
 * over first, where they are in its way. Throws TOO_LARGE when those that hold, or will, leave no room.
 */
export function withSilence(
  known: readonly Silence[],
  made: Silence,
  nowMs: number,
): readonly Silence[] {
  const isOver = ({ until }: Silence) => Date.parse(until) <= nowMs;
  const standing = [...known.filter((one) => !isOver(one)), made];
  if (standing.length > SILENCES_MAX) {
    throw new PetrelError("TOO_LARGE", `there are ${SILENCES_MAX} silences already`);
  }
  if (!fits(standing)) {
    throw new PetrelError("TOO_LARGE", "the silences there are leave no room for this one");
  }
  const over = known.filter(isOver).toSorted((a, b) => Date.parse(a.until) - Date.parse(b.until));
  while (over.length > 0 && !fits([...over, ...standing])) over.shift();
  return [...over, ...standing];
}

/** They are in the book, which is one message, beside the incidents. */
function fits(silences: readonly Silence[]): boolean {
  return (
    silences.length <= SILENCES_MAX &&
    Buffer.byteLength(JSON.stringify(silences)) <= SILENCES_BYTES_MAX
  );
}

export function matchesAll(matchers: readonly Matcher[], subject: Silenceable): boolean {
  return matchers.every(({ field, isEqual, value }) => {
    return globMatches(value, subject[field] ?? "") === isEqual;
  });
}

/** `*` stands for any text. Linear in the text: no pattern of an operator can hang an alarm. */
export function globMatches(pattern: string, text: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return pattern === text;
  const last = rest.pop() ?? "";
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/**
 * Reads `service=payment-*` or `severity!=critical`. Throws CONFIG_INVALID naming `path` and what is
 * wrong with it.
 */
export function parseMatcher(text: string, path: string): Matcher {
  const [, field, operator, value] = /^([a-z]+)(!?=)(.*)$/s.exec(text) ?? [];
  const parsed = Matcher.safeParse({ field, isEqual: operator === "=", value: value?.trim() });
  if (parsed.success) return parsed.data;
  const allowed = Matcher.shape.field.options.join(", ");
  const message = `${path}: "${text.slice(0, 100)}" is no matcher such as service=payment-*; fields are ${allowed}`;
  throw new PetrelError("CONFIG_INVALID", message, { path });
}

/** `Sat,Sun 02:00-04:00 UTC service=ledger-*`. */
export function maintenanceWords({ days, from, to, matchers, comment }: Maintenance): string {
  const words = matchers.map(
    ({ field, isEqual, value }) => `${field}${isEqual ? "=" : "!="}${value}`,
  );
  return `${days.join(",")} ${from}-${to} UTC ${words.join(" ")}: ${comment}`.slice(0, 1_000);
}

function isDuring({ days, from, to }: Maintenance, startMs: number, endMs: number): boolean {
  const [fromMs, untilMs] = [minutesOf(from), minutesOf(to)];
  const lengthMs = untilMs > fromMs ? untilMs - fromMs : untilMs - fromMs + DAY_MS;
  // What began on the day before may reach into the window.
  const firstDayMs = Math.floor(startMs / DAY_MS) * DAY_MS - DAY_MS;
  for (let dayMs = firstDayMs; dayMs < endMs; dayMs += DAY_MS) {
    const day = WEEKDAYS[new Date(dayMs).getUTCDay()];
    if (day === undefined || !days.includes(day)) continue;
    if (startMs < dayMs + fromMs + lengthMs && endMs > dayMs + fromMs) return true;
  }
  return false;
}

function minutesOf(text: string): number {
  const [hours = "0", minutes = "0"] = text.split(":");
  return (Number(hours) * 60 + Number(minutes)) * MINUTE_MS;
}
