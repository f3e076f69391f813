/** Notices that sinks never took, and what became of sending them again. Every text in them came from elsewhere. */
import type { IncidentSummary, IncidentsAnswer } from "../../agents/mod.ts";
import { idChars, noneOf, severityColour, stateWords } from "./incidents.ts";
import { columns } from "./lines.ts";
import { minuteWords } from "./moments.ts";
import { colour, count, oneLine } from "./text.ts";

const REASON_CHARS_MAX = 300;
const LIST_HEAD = ["id", "state", "severity", "service", "mechanism", "since", "not taken by"];

interface Dead {
  readonly incidents: readonly IncidentSummary[];
  readonly isCut: boolean;
}

/** A table of the incidents with the sinks that were not told, or in words that there is none. */
export function deadWords({ incidents, isCut }: Dead, service: string | undefined): string {
  if (incidents.length === 0) return `no notice${noneOf(service)} is dead`;
  const chars = idChars(incidents.map(({ id }) => id));
  const rows = incidents.map((one) => [
    colour("bold", one.id.slice(0, chars)),
    stateWords(one.state),
    colour(severityColour(one.severity), one.severity),
    oneLine(one.service, 32) || "-",
    oneLine(one.mechanism, 40) || "-",
    minuteWords(one.firstWindow.start),
    colour("red", (one.dead ?? []).map((sink) => oneLine(sink, 40)).join(", ")),
  ]);
  const total = `${count(incidents.length)} ${incidents.length === 1 ? "incident" : "incidents"}`;
  const more = isCut ? " · there are more: --limit N" : "";
  const hint = colour("grey", `${total}${more} · petrel incidents redeliver ID`);
  return `${columns([LIST_HEAD.map((word) => colour("grey", word)), ...rows])}\n${hint}`;
}

type Redelivered = Extract<IncidentsAnswer, { kind: "redelivered" }>;

/** A line for each notice, and how many are left; or in words that there was nothing to send. */
export function redeliveredWords(
  { incident, outcomes, isCut }: Redelivered,
  sink: string | undefined,
): string {
  if (outcomes.length === 0) {
    const where = sink === undefined ? "" : ` at ${oneLine(sink, 40)}`;
    return `${incident}: no notice is dead${where}`;
  }
  const rows = outcomes.map(({ seq, sink: name, state, reason }) => [
    `  change ${seq}`,
    oneLine(name, 40),
    colour(state === "dead" ? "red" : "green", state),
    reason === undefined ? "" : oneLine(reason, REASON_CHARS_MAX),
  ]);
  const dead = outcomes.filter(({ state }) => state === "dead").length;
  const sent = outcomes.length - dead;
  const left = [`${count(sent)} sent`, ...(dead > 0 ? [`${count(dead)} still dead`] : [])];
  const more = isCut ? "; there are more: send again" : "";
  return `${incident}: ${left.join(", ")}${more}\n${columns(rows)}`;
}
