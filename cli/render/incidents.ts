/** Incidents in a list, and what became of a judgement. Every text in them came from logs, models or people. */
import type { Change, Incident, IncidentSummary } from "../../agents/mod.ts";
import { columns } from "./lines.ts";
import { minuteWords, momentWords } from "./moments.ts";
import { type Colour, colour, count, oneLine } from "./text.ts";

/** Two ids made in the same second differ first behind a UUIDv7's time: eight digits, a dash, four more. */
const ID_CHARS_MIN = 13;
/** State, severity, since, windows and one mark, each with its gap. */
const FIXED_WIDTH = 10 + 10 + 19 + 9 + 13;
/** Without a terminal. */
const WIDTH = 180;
const HEAD = ["id", "state", "severity", "service", "mechanism", "since", "windows", ""];

export interface Asked {
  readonly states: readonly string[];
  readonly service?: string | undefined;
}

/** A table, or in words that there is none. */
export function listWords(
  { incidents, isCut }: { readonly incidents: readonly IncidentSummary[]; readonly isCut: boolean },
  asked: Asked,
): string {
  if (incidents.length === 0) return noneWords(asked);
  const chars = idChars(incidents.map(({ id }) => id));
  const room = roomFor(chars);
  const rows = incidents.map((one) => rowOf(one, chars, room));
  const total = `${count(incidents.length)} ${incidents.length === 1 ? "incident" : "incidents"}`;
  const more = isCut ? " · there are more: --limit N" : "";
  const hint = colour("grey", `${total}${more} · petrel incidents show ID`);
  return `${columns([HEAD.map((word) => colour("grey", word)), ...rows])}\n${hint}`;
}

function noneWords({ states, service }: Asked): string {
  const last = states.at(-1) ?? "";
  const list = states.length > 1 ? `${states.slice(0, -1).join(", ")} or ${last}` : last;
  const closed = states.includes("closed") ? "" : " (those that are over: --state closed)";
  return `no incident${noneOf(service)} is ${list}${closed}`;
}

/** ` of payment-service`, where one was asked for. */
export function noneOf(service: string | undefined): string {
  return service === undefined ? "" : ` of ${oneLine(service, 100)}`;
}

/** As few characters as tell all of them apart. */
export function idChars(ids: readonly string[]): number {
  let chars = ID_CHARS_MIN;
  const longest = Math.max(...ids.map((id) => id.length));
  const isTold = () => new Set(ids.map((id) => id.slice(0, chars))).size === ids.length;
  while (chars < longest && !isTold()) chars++;
  return chars;
}

interface Room {
  readonly service: number;
  readonly mechanism: number;
}

/** What the terminal leaves for the two columns of words; enough where there is none. */
function roomFor(chars: number): Room {
  const left = (process.stdout.columns ?? WIDTH) - chars - FIXED_WIDTH;
  const service = Math.max(12, Math.min(32, Math.floor(left * 0.45)));
  return { service, mechanism: Math.max(14, Math.min(40, left - service)) };
}

function rowOf(one: IncidentSummary, chars: number, room: Room): string[] {
  return [
    colour("bold", one.id.slice(0, chars)),
    stateWords(one.state),
    colour(severityColour(one.severity), one.severity),
    oneLine(one.service, room.service) || "-",
    oneLine(one.mechanism, room.mechanism) || "-",
    minuteWords(one.firstWindow.start),
    String(one.windows),
    marksOf(one).join(", "),
  ];
}

/** What sets an incident apart, beside how it stands. */
function marksOf({ kind, silencedBy, judgement, dead }: IncidentSummary): string[] {
  return [
    kind === "fault" ? "" : kind,
    dead === undefined ? "" : "dead letters",
    silencedBy === undefined ? "" : "silenced",
    judgement === undefined ? "" : judgement.isConfirmed ? "confirmed" : "rejected",
  ].filter(Boolean);
}

export function severityColour(severity: Incident["severity"]): Colour {
  return ({ critical: "red", warning: "yellow", info: "blue" } as const)[severity];
}

export function stateWords(state: Incident["state"]): string {
  const colours = { pending: "yellow", open: "red", resolved: "green", closed: "grey" } as const;
  return colour(colours[state], state);
}

/** One change of one incident, on a line: `<when>  <what>  <id>  <service> · <mechanism>: <the change>`. */
export function watchedWords(one: IncidentSummary, { at, kind, text, by }: Change): string {
  const who = by === undefined ? "" : ` (by ${oneLine(by, 60)})`;
  const what = [oneLine(one.service, 60), oneLine(one.mechanism, 60)].filter(Boolean).join(" · ");
  const word = colour(severityColour(one.severity), kind.padEnd(9));
  return `${momentWords(at)}  ${word}  ${one.id}  ${colour("bold", what)}: ${oneLine(text, 300)}${who}`;
}

/** `confirmed by jane: payment-service: pool exhausted`. */
export function judgementWords({ id, judgement }: Pick<Incident, "id" | "judgement">): string {
  if (!judgement) return `${id}: nobody has judged it`;
  const { isConfirmed, by, cause } = judgement;
  const word = isConfirmed ? colour("green", "confirmed") : colour("yellow", "rejected");
  const what = isConfirmed ? "the cause" : "what it was instead";
  const said = cause === "" ? "" : `\n  ${what}: ${oneLine(cause, 500)}`;
  return `${word} ${id} by ${oneLine(by, 60)}${said}`;
}
