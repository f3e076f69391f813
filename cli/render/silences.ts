/** Silences as people read them: what they hold back, from when until when, and who wanted it. */
import type { Matcher, Silence } from "../../agents/mod.ts";
import { columns } from "./lines.ts";
import { lengthWords, minuteWords } from "./moments.ts";
import { colour, count, oneLine } from "./text.ts";

const MINUTE_MS = 60_000;

interface One {
  readonly silence: Silence;
  /** Incidents that match it and are not closed. */
  readonly matching: number;
}

/** `service=payment-* severity!=critical`; a value with a blank in quotes. */
export function matchersWords(matchers: readonly Matcher[]): string {
  const words = matchers.map(({ field, isEqual, value }) => {
    const shown = oneLine(value, 200);
    return `${field}${isEqual ? "=" : "!="}${/\s/.test(shown) ? JSON.stringify(shown) : shown}`;
  });
  return words.join(" ");
}

/** What was silenced, for how long, and what that holds back as things are. */
export function silencedWords({ silence, matching }: One, nowMs: number): string {
  const { id, from, until, matchers, comment } = silence;
  const minutes = Math.round((Date.parse(until) - Date.parse(from)) / MINUTE_MS);
  return [
    `${colour("green", "silenced")} ${matchersWords(matchers)}`,
    `  ${minuteWords(from)} to ${minuteWords(until)} (${lengthWords(minutes * MINUTE_MS)}): ${oneLine(comment, 500)}`,
    `  ${matchingWords(matching, nowMs >= Date.parse(from))}`,
    colour("grey", `  ends early with: petrel incidents unsilence ${id}`),
  ].join("\n");
}

function matchingWords(matching: number, holds: boolean): string {
  if (matching === 0) return colour("yellow", "matches no incident that is open now");
  const incidents = `${count(matching)} ${matching === 1 ? "incident" : "incidents"}`;
  return holds ? `holds back ${incidents} now` : `would hold back ${incidents} now`;
}

interface All {
  readonly silences: readonly Silence[];
  readonly maintenance: readonly string[];
}

/** All of them in a table with how each stands, and the maintenance that recurs. */
export function silencesWords({ silences, maintenance }: All, nowMs: number): string {
  const head = ["id", "", "from", "until", "what", "by", "why"].map((word) => colour("grey", word));
  const table =
    silences.length === 0 ? "no silence" : columns([head, ...silences.map(rowOf(nowMs))]);
  const planned = maintenance.map((words) => `  ${oneLine(words, 300)}`);
  return [table, ...(planned.length > 0 ? ["maintenance, by configuration", ...planned] : [])].join(
    "\n",
  );
}

/** That it ended, and what still holds people's notices back. */
export function unsilencedWords(id: string, left: All, nowMs: number): string {
  return `${colour("green", "ended")} silence ${oneLine(id, 128)}; left are:\n${silencesWords(left, nowMs)}`;
}

function rowOf(nowMs: number) {
  return ({ id, from, until, matchers, by, comment }: Silence): string[] => [
    colour("bold", id),
    standing(Date.parse(from), Date.parse(until), nowMs),
    minuteWords(from),
    minuteWords(until),
    oneLine(matchersWords(matchers), 80),
    oneLine(by, 24),
    oneLine(comment, 80),
  ];
}

function standing(fromMs: number, untilMs: number, nowMs: number): string {
  if (nowMs >= untilMs) return colour("grey", "over");
  return nowMs >= fromMs ? colour("green", "holds") : colour("yellow", "to come");
}
