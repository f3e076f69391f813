/** Incidents and agents as answers to questions: lists, one incident, what happened before. */
import type { Registered } from "../../a2a/mod.ts";
import type { IncidentSummary } from "../incidents/protocol.ts";
import type { Incident } from "../incidents/record.ts";
import { ANSWER_SCHEMA, type Answer, type Citation, type Understood } from "./record.ts";
import { windowWords } from "./route.ts";
import { plainText } from "./text.ts";
import { capital, citedIn, counted, joined, listed, quoted } from "./words-of.ts";

const SHOWN_MAX = 10;

type Listed = Pick<
  IncidentSummary,
  "id" | "title" | "service" | "state" | "severity" | "firstWindow" | "lastWindow"
> &
  Partial<Pick<IncidentSummary, "resolvedAt" | "judgement" | "silencedBy">>;

export interface ListOptions {
  /** There are more than were sent. */
  readonly isCut: boolean;
  /** What they are called, such as `open incident`. */
  readonly what: string;
}

/** Sentences about incidents, and what they cite. */
export function listSentences(
  incidents: readonly Listed[],
  { isCut, what }: ListOptions,
): { sentences: string[]; citations: Citation[] } {
  const shown = incidents.slice(0, SHOWN_MAX);
  const citations = shown.map((one, at): Citation => {
    const { service, title } = one;
    return { id: `i${at + 1}`, source: "incidents", service, summary: quoted(title, 300) };
  });
  const many = `${isCut ? "at least " : ""}${counted(incidents.length, what)}`;
  const head = `There ${incidents.length === 1 ? "is" : "are"} ${many}.`;
  const more = incidents.length - shown.length;
  const sentences = [
    head,
    ...shown.map((one, at) => `${sentenceOf(one)} [i${at + 1}].`),
    ...(more > 0 ? [`${more} older ones are not listed here.`] : []),
  ];
  return { sentences, citations };
}

function sentenceOf(one: Listed): string {
  const { id, title, state, severity, firstWindow, resolvedAt, judgement, silencedBy } = one;
  const until = resolvedAt === undefined ? "" : `, resolved ${minute(resolvedAt)}`;
  const silenced = silencedBy === undefined ? "" : ", silenced";
  return `${quoted(title, 300)} (${severity}, ${state}${silenced}, since ${minute(firstWindow.start)}${until}, id ${id.slice(0, 40)})${judgementWords(judgement)}`;
}

function judgementWords(judgement: Listed["judgement"]): string {
  if (!judgement) return "";
  const { isConfirmed, by, cause } = judgement;
  const said = isConfirmed ? "confirmed the cause" : "rejected it; the cause was";
  return `; ${quoted(by, 60)} ${said}: ${quoted(cause, 200)}`;
}

/** `2026-11-21 14:40 UTC`; a text that is no time as it is. */
function minute(iso: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(iso)
    ? `${iso.slice(0, 16).replace("T", " ")} UTC`
    : quoted(iso, 40);
}

/** The answer to a question for incidents; those outside the window that was named are left out. */
export function incidentsAnswer(
  understood: Understood,
  incidents: readonly Listed[],
  isCut: boolean,
): Answer {
  const { intent = "incidents", services, window } = understood;
  const within = incidents.filter(
    ({ firstWindow, lastWindow }) =>
      !window ||
      (Date.parse(firstWindow.start) < Date.parse(window.end) &&
        Date.parse(lastWindow.end) > Date.parse(window.start)),
  );
  const of = services.length > 0 ? ` of ${listed(services)}` : "";
  const when = window ? ` in ${windowWords(window)}` : "";
  const { sentences, citations } = listSentences(within, { isCut, what: "incident" });
  const none =
    intent === "past" ? "It has not happened before, as far as incidents are kept: no" : "No";
  const about = of === "" && when === "" ? [] : [`I looked for incidents${of}${when}.`];
  const answer = joined(
    within.length === 0 ? [`${none} incident${of}${when} is known.`] : [...about, ...sentences],
  );
  return {
    schema: ANSWER_SCHEMA,
    intent,
    answer,
    window: window ?? null,
    services: [...services],
    outcome: within.length === 0 ? "nothing" : "listed",
    citations: citedIn(answer, citations),
    next: [],
  };
}

/** One incident: what it is, what it rests on, whether it was seen before. */
export function incidentAnswer(understood: Understood, incident: Incident): Answer {
  const { intent = "incident" } = understood;
  const evidence = incident.evidence.map(({ id, source, finding }): Citation => {
    const { service, summary, link } = finding;
    const told = { service: quoted(service, 200), summary: quoted(summary, 300) };
    return { id, source, ...told, ...(link === undefined ? {} : { link }) };
  });
  const before = incident.seenBefore.map(({ cause }, at): Citation => {
    const summary = quoted(cause, 300);
    return { id: `i${at + 1}`, source: "incidents", service: incident.service, summary };
  });
  const isKnown = incident.seenBefore.length > 0;
  const seen = isKnown
    ? incident.seenBefore.map(({ at, cause, isConfirmed, incident: id }, index) => {
        const how = isConfirmed ? "confirmed cause" : "cause";
        return `It was seen before on ${minute(at)} (incident ${id.slice(0, 40)}), ${how} ${quoted(cause, 300)} [i${index + 1}].`;
      })
    : ["No incident like it is known from before."];
  const about = [`${sentenceOf(incident)}.`, ...reasons(incident, evidence)];
  const answer = joined(
    intent === "past" ? [`${sentenceOf(incident)}.`, ...seen] : [...about, ...seen],
  );
  const next = incident.explanation?.next ?? incident.causes[0]?.next ?? [];
  return {
    schema: ANSWER_SCHEMA,
    intent,
    answer,
    window: incident.lastWindow,
    services: [incident.service],
    outcome: intent === "past" && !isKnown ? "nothing" : outcomeOf(incident),
    verdict: incident.investigation,
    incident: incident.id,
    citations: citedIn(answer, [...evidence, ...before]),
    next: intent === "past" ? [] : next.slice(0, 5).map((step) => quoted(step, 500)),
  };
}

function outcomeOf({ kind }: Incident): Answer["outcome"] {
  return kind === "fault" ? "incident" : "inconclusive";
}

/** The explanation whose citations were checked, else what the cause rests on. */
function reasons({ explanation, causes }: Incident, evidence: readonly Citation[]): string[] {
  if (explanation)
    return [
      plainText(explanation.text, 4_000),
      ...explanation.remarks.map((one) => quoted(one, 500)),
    ];
  const ids = new Set(causes[0]?.evidence ?? []);
  const own = evidence.filter(({ id }) => ids.size === 0 || ids.has(id)).slice(0, 4);
  return own.map(({ summary, id }) => `${capital(summary.replace(/\.$/, ""))} [${id}].`);
}

/** Who is in the mesh. */
export function agentsAnswer(replicas: readonly Registered[]): Answer {
  const byAgent = Map.groupBy(replicas, ({ agent }) => agent);
  const agents = [...byAgent].slice(0, 20);
  const citations = agents.map(([agent, [first]], at): Citation => {
    const summary = quoted(first?.card.description ?? "", 300);
    return { id: `a${at + 1}`, source: "registry", service: agent, summary };
  });
  const told = agents.map(([agent, own], at) => {
    const skills = (own[0]?.card.skills ?? []).slice(0, 10).map(({ id }) => quoted(id, 60));
    const running = own.reduce((sum, one) => sum + one.running, 0);
    const busy = running === 0 ? "idle" : `running ${counted(running, "task")}`;
    return `${agent} has the ${skills.length === 1 ? "skill" : "skills"} ${listed(skills)} (${counted(own.length, "replica")}, ${busy}) [a${at + 1}].`;
  });
  const answer = joined([
    byAgent.size === 0
      ? "No agent is in the mesh."
      : `${capital(counted(byAgent.size, "agent"))} ${byAgent.size === 1 ? "is" : "are"} in the mesh.`,
    ...told,
  ]);
  return {
    schema: ANSWER_SCHEMA,
    intent: "agents",
    answer,
    window: null,
    services: [],
    outcome: byAgent.size === 0 ? "nothing" : "listed",
    citations: citedIn(answer, citations),
    next: [],
  };
}
