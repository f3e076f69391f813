/** What an incident rests on and what became of it: evidence, rival causes, timeline, tools, cost, commands. */
import type { Change, Incident } from "../../agents/mod.ts";
import { columns, indented } from "./lines.ts";
import { momentWords } from "./moments.ts";
import { colour, count, link, oneLine, seconds } from "./text.ts";

const SUMMARY_CHARS_MAX = 1_000;
const LINE_CHARS_MAX = 300;
const CITED_MAX = 20;
const OTHERS_MAX = 12;

type Evidence = Incident["evidence"][number];
type Tool = NonNullable<Incident["explanation"]>["tools"][number];

export function detailLines(incident: Incident): string[] {
  const { causes, explanation, timeline, links } = incident;
  const cited = citedOf(incident);
  const others = incident.evidence.filter((one) => !cited.includes(one));
  return [
    ...section("evidence", cited.flatMap(evidenceLines)),
    ...section("other findings of the window", otherLines(others)),
    ...section("see the same data", links.flatMap(placeLines)),
    ...section("causes that were weighed", causes.flatMap(causeLines)),
    ...section("struck: not true, or not shown by the evidence", struckLines(explanation)),
    ...section("timeline", timeline.flatMap(changeLines)),
    ...section("asked while digging", (explanation?.tools ?? []).flatMap(toolLines)),
    ...section("cost", [`  ${costWords(incident.cost)}`]),
    ...section("go deeper", [columns(commandsOf(incident))]),
  ].slice(0, -1);
}

function section(name: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [colour("bold", name), ...lines, ""];
}

/** What the first cause and the words rest on; all of it where nothing is cited. */
function citedOf({ evidence, causes, explanation }: Incident): readonly Evidence[] {
  const told = (explanation?.text ?? "").matchAll(/\be\d{1,4}\b/g);
  const cited = new Set([...(causes[0]?.evidence ?? []), ...[...told].map(([id]) => id)]);
  return evidence.filter(({ id }) => cited.size === 0 || cited.has(id)).slice(0, CITED_MAX);
}

/** The rest, a line each: what else was to be seen, and how many more there are. */
function otherLines(others: readonly Evidence[]): string[] {
  const lines = others.slice(0, OTHERS_MAX).flatMap((one) => indented(headOf(one), 2, 6));
  const left = others.length - OTHERS_MAX;
  return left > 0 ? [...lines, `  and ${count(left)} more: --json has them all`] : lines;
}

function headOf({ id, source, finding }: Evidence): string {
  const service = oneLine(finding.service, 100);
  return `${colour("cyan", id.padEnd(3))} ${source} · ${service} · ${oneLine(finding.summary, SUMMARY_CHARS_MAX)}`;
}

function evidenceLines(one: Evidence): string[] {
  const { source, finding } = one;
  const [example] = finding.exemplars ?? [];
  const place = placeOf(source === "logs" ? "Splunk ↗" : "Metrics ↗", finding.link);
  return [
    ...indented(headOf(one), 2, 6),
    `      ${figuresOf(finding).join(" · ")}`,
    ...(example === undefined ? [] : indented(colour("grey", `“${oneLine(example, 300)}”`), 6, 7)),
    ...(place === "" ? [] : [`      ${place}`]),
  ];
}

function figuresOf(finding: Evidence["finding"]): string[] {
  const { value, baseline, recent, unit, score, direction, codeLocation, exception } = finding;
  const unitWords = unit === undefined ? "" : ` ${oneLine(unit, 40)}`;
  const measured = value === undefined ? "" : `measured ${figure(value)}${unitWords}`;
  const expected = finding.kind === "rule" ? "allowed" : "normal";
  return [
    measured,
    baseline === undefined ? "" : `${expected} ${figure(baseline)}${unitWords}`,
    recent === undefined ? "" : `just before ${figure(recent)}${unitWords}`,
    direction,
    `score ${figure(score)}`,
    codeLocation === undefined ? "" : oneLine(codeLocation, 200),
    exception === undefined ? "" : oneLine(exception, 200),
  ].filter(Boolean);
}

function figure(value: number): string {
  return value.toLocaleString("en-US", { maximumSignificantDigits: 4 });
}

/** Where a person sees the same; the address itself where the output is no terminal. */
function placeOf(label: string, url: string | undefined): string {
  const isAddress = url !== undefined && /^https?:\/\/[\x21-\x7e]+$/.test(url);
  return isAddress ? link(label, url) || url : "";
}

/** A dashboard or a search, by its title. */
function placeLines({ title, url }: Incident["links"][number]): string[] {
  const name = oneLine(title, 100);
  const place = placeOf(name, url);
  if (place === "") return [];
  return place === url ? [`  ${name}`, `      ${url}`] : [`  ${place}`];
}

function causeLines(cause: Incident["causes"][number], at: number): string[] {
  const { service, mechanism, location, confidence, evidence, against } = cause;
  const what = [service, mechanism, location ?? ""].map((text) => oneLine(text, 120));
  const ids = (list: readonly string[]) => list.map((id) => oneLine(id, 20)).join(", ");
  const words = [
    `${at + 1}. ${what.filter(Boolean).join(" · ")}`,
    `confidence ${confidence.toFixed(2)}`,
    evidence.length > 0 ? `for it ${ids(evidence)}` : "",
    against.length > 0 ? `against it ${ids(against)}` : "",
  ];
  return indented(words.filter(Boolean).join(" · "), 2, 5);
}

function struckLines(explanation: Incident["explanation"]): string[] {
  return (explanation?.struck ?? []).flatMap(({ text, why }) =>
    indented(`${oneLine(why, LINE_CHARS_MAX)}: ${colour("grey", `“${oneLine(text, 600)}”`)}`, 2),
  );
}

function changeLines({ seq, at, kind, text, by, deliveries }: Change): string[] {
  const who = by === undefined ? "" : ` · by ${oneLine(by, 60)}`;
  const told = Object.entries(deliveries)
    .slice(0, 20)
    .map(([sink, state]) => colour(DELIVERY_COLOURS[state], `${oneLine(sink, 40)} ${state}`));
  const head = `${String(seq).padEnd(2)} ${momentWords(at)}  ${colour("bold", kind)}${who} · ${oneLine(text, 1_000)}`;
  return [...indented(head, 2, 5), ...(told.length > 0 ? indented(told.join(", "), 5, 5) : [])];
}

const DELIVERY_COLOURS = { delivered: "green", pending: "yellow", dead: "red" } as const;

function toolLines({ tool, arguments: given, outcome, note, tookMs }: Tool): string[] {
  const colours = { ok: "green", error: "red", refused: "yellow" } as const;
  const head = `${oneLine(tool, 100)} ${oneLine(given, LINE_CHARS_MAX)}`;
  const end = `${colour(colours[outcome], outcome)} in ${seconds(tookMs)}: ${oneLine(note, LINE_CHARS_MAX)}`;
  return [...indented(head, 2), ...indented(end, 6, 8)];
}

/** `2 calls · 3 tool calls · 3,412 tokens in, 512 out · $0.0123`. */
export function costWords(cost: Incident["cost"]): string {
  const { calls, toolCalls, promptTokens, completionTokens, usd } = cost;
  if (calls === 0) return "no language model was asked";
  const many = (value: number, word: string) => `${count(value)} ${word}${value === 1 ? "" : "s"}`;
  return [
    many(calls, "call"),
    many(toolCalls, "tool call"),
    `${count(promptTokens)} tokens in, ${count(completionTokens)} out`,
    usd > 0 ? `$${usd.toFixed(4)}` : "no prices configured",
  ].join(" · ");
}

/** What is pasted into a shell holds nothing that a shell would read. */
const PASTED = /^[A-Za-z0-9._:-]+$/;

function commandsOf({
  id,
  taskId,
  investigation,
  investigations,
  judgement,
  timeline,
}: Incident): string[][] {
  const others = investigations.length > 1 ? `, one of ${count(investigations.length)}` : "";
  const isDead = timeline.some((one) => Object.values(one.deliveries).includes("dead"));
  const isPasted = taskId !== undefined && PASTED.test(taskId);
  return [
    ["  incident", id],
    ["  verdict", `${investigation}${others}`],
    ...(taskId === undefined ? [] : [["  A2A task", oneLine(taskId, 128)]]),
    ...(isPasted ? [["", `petrel audit show ${taskId}`]] : []),
    ...(isPasted ? [["", `petrel audit replay --task ${taskId}`]] : []),
    ...(isDead ? [["  not taken", `petrel incidents redeliver ${id}`]] : []),
    ...(judgement ? [] : [["  was it so?", `petrel incidents confirm ${id}`]]),
  ];
}
