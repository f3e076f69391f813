/**
 * One incident on a screen: what matters at night first, then what is needed to look into it. Texts came
 * from logs, models and people: each is one line without control characters before it is laid out.
 */
import type { Incident } from "../../agents/mod.ts";
import { detailLines } from "./incident-details.ts";
import { severityColour, stateWords } from "./incidents.ts";
import { labelled } from "./lines.ts";
import { agoMs, lengthWords, minuteWords, momentWords, windowWords } from "./moments.ts";
import { colour, count, oneLine } from "./text.ts";

const EVIDENCE_SHOWN = 4;
const TEXT_CHARS_MAX = 4_000;
const LINE_CHARS_MAX = 500;

export function incidentWords(incident: Incident, nowMs: number): string {
  const lines = [
    ...headline(incident, nowMs),
    "",
    ...story(incident),
    "",
    ...detailLines(incident),
  ];
  return lines.join("\n");
}

/** What it is, how it stands, and since when. */
function headline(incident: Incident, nowMs: number): string[] {
  const { severity, state, confidence, windows, resolvedAt, kind } = incident;
  const { title, lastWindow } = incident;
  // When it began to show, not when it was told.
  const began = incident.firstWindow.start;
  const ago = agoMs(began, nowMs);
  const since = `since ${minuteWords(began)}${ago === undefined ? "" : ` (${lengthWords(ago)})`}`;
  const until = resolvedAt === undefined ? "" : `resolved ${minuteWords(resolvedAt)}`;
  const figures = [
    stateWords(state),
    colour(severityColour(severity), severity),
    kind === "fault" ? "" : kind,
    `confidence ${confidence.toFixed(2)}`,
    since,
    until,
  ].filter(Boolean);
  const shown = `${count(windows)} ${windows === 1 ? "window shows" : "windows show"} it`;
  return [
    `${colour(severityColour(severity), "▲")} ${colour("bold", oneLine(title, 300))}`,
    `  ${figures.join(" · ")}`,
    `  ${shown}, the last ${windowWords(lastWindow)}`,
  ];
}

function story(incident: Incident): string[] {
  const { causes, services, service, seenBefore, explanation } = incident;
  const [cause] = causes;
  const affected = services.filter((name) => name !== service).map((name) => oneLine(name, 100));
  const next = explanation?.next.length ? explanation.next : (cause?.next ?? []);
  return [
    ...explained(incident),
    ...held(incident),
    ...judged(incident),
    ...labelled("where", place(incident)),
    ...labelled("evidence", told(incident)),
    ...labelled("affected", [affected.join(", ")]),
    ...labelled(
      "next",
      next.map((step) => oneLine(step, LINE_CHARS_MAX)),
    ),
    ...labelled("seen before", seenBefore.map(seenWords)),
  ];
}

function explained({ explanation }: Incident): string[] {
  if (!explanation) return labelled("what", ["not explained yet"]);
  const { text, by, remarks, struck, confidence } = explanation;
  const own = confidence === null ? "" : `, ${confidence.toFixed(2)} sure of it`;
  const dropped = struck.length;
  const statements = dropped === 1 ? "1 statement" : `${count(dropped)} statements`;
  const left = `${statements} did not hold against the evidence: see below`;
  return [
    ...labelled("what", [oneLine(text, TEXT_CHARS_MAX)]),
    ...labelled("words by", [`${oneLine(by, 100)}${own}`]),
    ...labelled(
      "remarks",
      remarks.map((one) => colour("yellow", oneLine(one, LINE_CHARS_MAX))),
    ),
    ...labelled("struck", [dropped > 0 ? colour("yellow", left) : ""]),
  ];
}

function held({ silencedBy }: Incident): string[] {
  if (silencedBy === undefined) return [];
  const by =
    silencedBy === "maintenance" ? "maintenance, by configuration" : `silence ${silencedBy}`;
  return labelled("silenced", [colour("yellow", `${by}: nobody is told of changes`)]);
}

function judged({ judgement }: Incident): string[] {
  if (!judgement) return [];
  const { isConfirmed, by, at, cause, note } = judgement;
  const word = isConfirmed ? colour("green", "confirmed") : colour("yellow", "rejected");
  const what = cause === "" ? "" : `: ${oneLine(cause, LINE_CHARS_MAX)}`;
  return labelled("judged", [
    `${word} by ${oneLine(by, 60)}, ${momentWords(at)}${what}`,
    note === undefined ? "" : `“${oneLine(note, 2_000)}”`,
  ]);
}

function place({ service, mechanism, location }: Incident): string[] {
  const where = location === undefined ? "" : ` · ${oneLine(location, 200)}`;
  const what = [oneLine(service, 200), oneLine(mechanism, 200)].filter(Boolean).join(" · ");
  return [`${what}${where}`];
}

/** The evidence of the first cause, most telling first; all of it is among the details. */
function told({ causes, evidence }: Incident): string[] {
  const cited = new Set(causes[0]?.evidence ?? []);
  const telling = evidence.filter(({ id }) => cited.size === 0 || cited.has(id));
  const shown = telling.slice(0, EVIDENCE_SHOWN);
  const left = evidence.length - shown.length;
  return [
    ...shown.map(({ id, finding }) => `${colour("cyan", id)} ${oneLine(finding.summary, 300)}`),
    left > 0 && shown.length > 0 ? colour("grey", `and ${count(left)} more, below`) : "",
  ];
}

function seenWords(one: Incident["seenBefore"][number]): string {
  const { incident, at, cause, isConfirmed, similarity } = one;
  const sure = isConfirmed ? colour("green", "confirmed") : "not confirmed";
  return `${minuteWords(at)} · ${oneLine(cause, LINE_CHARS_MAX)} (${sure}, similarity ${similarity.toFixed(2)}) · ${incident}`;
}
