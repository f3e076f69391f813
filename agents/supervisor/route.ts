/**
 * What becomes of a question that is understood: the fixed table of what may be asked of the mesh, and
 * what has to be known first. No word of a question gets anywhere but into a service's name or a window.
 */
import { lastCompleteWindow, type Window, windowToJson } from "../../core/mod.ts";
import { INCIDENTS_SCHEMA, INCIDENTS_SKILL, type IncidentsAsked } from "../incidents/protocol.ts";
import { type InvestigateRequest, REQUEST_SCHEMA } from "../protocol.ts";
import { windowOf } from "./question.ts";
import type { Intent, Need, Understood } from "./record.ts";

export const INVESTIGATE_SKILL = "investigate";
/** All that a question can lead to. */
export const SKILLS = [INVESTIGATE_SKILL, INCIDENTS_SKILL] as const;

export interface Missing {
  readonly needs: Need;
  readonly question: string;
  readonly candidates: readonly string[];
}

const INTENT_WORDS: readonly (readonly [Intent, string])[] = [
  ["why", "why something fails, in a window"],
  ["status", "how things are now"],
  ["incidents", "which incidents there are"],
  ["past", "whether it happened before"],
  ["logs", "what the logs of a service say"],
  ["metrics", "what its metrics say"],
  ["agents", "who is in the mesh"],
];
/** The intents in the order in which a question for one numbers them. */
export const INTENT_CHOICES: readonly Intent[] = INTENT_WORDS.map(([intent]) => intent);

const CANDIDATES_MAX = 20;

/** What has to be known before the mesh can be asked; undefined when all is. */
export function missingOf(understood: Understood, known: readonly string[]): Missing | undefined {
  const { intent, services, incident } = understood;
  if (intent === undefined) return { needs: "intent", ...intentQuestion(understood) };
  const isOfOne = intent === "logs" || intent === "metrics";
  if (isOfOne && services.length === 0)
    return serviceQuestion(`Of which service the ${intent}?`, known);
  if (intent === "incident" && incident === undefined) {
    const question =
      'Which incident? Its id, or the beginning of it, as "petrel incidents" lists it.';
    return { needs: "incident", question, candidates: [] };
  }
  return undefined;
}

/** A question for the service, with the names that are known. */
export function serviceQuestion(question: string, known: readonly string[]): Missing {
  const candidates = known.slice(0, CANDIDATES_MAX).map((name) => name.slice(0, 200));
  const listed = candidates.map((name, at) => `${at + 1}. ${name}`).join("; ");
  const how = candidates.length > 0 ? listed : "Write its name as the logs have it.";
  return { needs: "service", question: `${question} ${how}`, candidates };
}

function intentQuestion({ services, window }: Understood): Omit<Missing, "needs"> {
  const heard = [services.join(", "), window ? windowWords(window) : ""].filter(Boolean).join(", ");
  const choices = INTENT_WORDS.map(([, words], at) => `${at + 1}. ${words}`).join("; ");
  const so = heard === "" ? "" : ` I understood ${heard}.`;
  const question = `What do you want to know?${so} ${choices}`;
  return { question, candidates: INTENT_WORDS.map(([intent]) => intent) };
}

/** `2026-11-21 14:40–15:02 UTC`; both days where they differ. Seconds where they matter. */
export function windowWords({ start, end }: { start: string; end: string }): string {
  const [day, from] = partsOf(start);
  const [lastDay, to] = partsOf(end);
  return `${day} ${from}–${day === lastDay ? to : `${lastDay} ${to}`} UTC`;
}

function partsOf(iso: string): [string, string] {
  const time = iso.slice(11, 19);
  return [iso.slice(0, 10), time.endsWith(":00") ? time.slice(0, 5) : time];
}

export interface WindowRules {
  readonly nowMs: number;
  readonly everyMs: number;
  readonly settleMs: number;
}

/** The window to look at: the one that was asked for, else the last whose logs should be there. */
export function windowToLookAt(understood: Understood, rules: WindowRules): Window {
  const asked = windowOf(understood);
  return asked ?? lastCompleteWindow(rules.nowMs - rules.settleMs, rules.everyMs);
}

/** The request for an investigation. Logs and metrics of a service are those of that service alone. */
export function investigation(
  understood: Understood,
  window: Window,
  id: string,
): InvestigateRequest {
  const { intent, services } = understood;
  const isNarrow = intent === "logs" || intent === "metrics";
  return {
    schema: REQUEST_SCHEMA,
    investigation: id,
    window: windowToJson(window),
    baseline: [],
    // The cause of what one service suffers may be another, so a question for causes is one for all.
    ...(isNarrow && services.length > 0 ? { query: { services: [...services] } } : {}),
  };
}

const LISTED_MAX = 50;
const KNOWN_LISTED_MAX = 200;

type ListAsked = Extract<IncidentsAsked, { action: "list" }>;

/** The incidents a question is about. */
export function incidentsRequest({ services, states, intent }: Understood): ListAsked {
  const [service] = services;
  const open = intent === "status" ? { states: ["open" as const] } : {};
  return {
    schema: INCIDENTS_SCHEMA,
    action: "list",
    limit: LISTED_MAX,
    ...open,
    ...(states && intent === "incidents" ? { states: [...states] } : {}),
    ...(service !== undefined && services.length === 1 ? { service } : {}),
  };
}

export function incidentRequest(incident: string): IncidentsAsked {
  return { schema: INCIDENTS_SCHEMA, action: "show", incident };
}

/** Every incident: for the names of services. */
export function knownRequest(): IncidentsAsked {
  return { schema: INCIDENTS_SCHEMA, action: "list", limit: KNOWN_LISTED_MAX };
}
