/**
 * Event times as log sources write them. It never guesses a zone other than UTC and never looks at a
 * clock, so a bare time of day has no answer here.
 */
import { owned } from "./own.ts";

const CALENDAR =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))? ?(Z|GMT|UTC|[+-]\d\d:?\d\d)?$/;
const SECOND_CHARS = "2026-10-08 13:48:34".length;
const SPLUNK_CHARS = "2026-10-08 13:48:34.000 GMT".length;
const AFTER_SECOND = /^(?:[.,](\d{1,9}))? ?(Z|GMT|UTC|[+-]\d\d:?\d\d)?$/;
let lastSecond = { text: "none yet", ms: 0 };
const EPOCH = /^(\d{9,10})(?:\.(\d{1,9}))?$/;
const EPOCH_MS = /^\d{13}$/;
/** The longest a time can be: date, nine digits of a second, zone. */
const TIME_CHARS_MAX = 40;

/**
 * Reads ISO 8601, `2026-10-08 13:48:34.000 GMT` (Splunk), epoch seconds with a fraction, or epoch
 * milliseconds. No zone means UTC. Milliseconds, the fraction carries microseconds; `undefined` when
 * it is none of these.
 */
export function parseEventTimeMs(text: string): number | undefined {
  if (text.length > TIME_CHARS_MAX) return undefined;
  if (text.startsWith(lastSecond.text)) return afterSecond(text);
  const calendar = CALENDAR.exec(text);
  if (calendar !== null) return fromCalendar(calendar);
  const epoch = EPOCH.exec(text);
  if (epoch !== null) return Number(epoch[1]) * 1000 + fractionMs(epoch[2]);
  return EPOCH_MS.test(text) ? Number(text) : undefined;
}

function fromCalendar(parts: RegExpExecArray): number | undefined {
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number);
  const wrong =
    outside(month, 1, 12) || outside(day, 1, 31) || outside(hour, 0, 23) || outside(minute, 0, 59);
  if (wrong || outside(second, 0, 60)) return undefined;
  const ms = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
  lastSecond = { text: owned(parts[0].slice(0, SECOND_CHARS)), ms };
  return ms + fractionMs(parts[7]) - zoneMs(parts[8]);
}

/** The rest of a time that shares its second with the time before it, as neighbours mostly do. */
function afterSecond(text: string): number | undefined {
  const millis = splunkMillis(text);
  if (millis !== undefined) return lastSecond.ms + millis;
  const rest = AFTER_SECOND.exec(text.slice(SECOND_CHARS));
  return rest === null ? undefined : lastSecond.ms + fractionMs(rest[1]) - zoneMs(rest[2]);
}

/** `.940 GMT` by its characters: it comes with each of a million rows, and a pattern costs more. */
function splunkMillis(text: string): number | undefined {
  if (text.length !== SPLUNK_CHARS || !text.endsWith(" GMT")) return undefined;
  let millis = 0;
  for (let at = SECOND_CHARS + 1; at < SECOND_CHARS + 4; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return undefined;
    millis = 10 * millis + digit;
  }
  return text[SECOND_CHARS] === "." ? millis : undefined;
}

function outside(value: number | undefined, least: number, most: number): boolean {
  return value === undefined || value < least || value > most;
}

function fractionMs(digits: string | undefined): number {
  return digits === undefined ? 0 : Math.round(Number(`0.${digits}`) * 1e6) / 1e3;
}

function zoneMs(zone: string | undefined): number {
  if (zone === undefined || !/^[+-]/.test(zone)) return 0;
  const ms = (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))) * 60_000;
  return zone.startsWith("-") ? -ms : ms;
}
