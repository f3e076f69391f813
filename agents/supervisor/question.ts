/**
 * Reads a question by rules alone: what is wanted, of which services, in which window. It asks nobody and
 * never throws; what it does not understand it leaves open.
 */
import { type Window, windowToJson } from "../../core/mod.ts";
import { INCIDENT_STATES, type IncidentState } from "../incidents/record.ts";
import { type Intent, QUESTION_CHARS_MAX, type Understood } from "./record.ts";
import { findServices, type NamedServices } from "./services.ts";
import { folded, hasPhrase, plainText, wordsOf } from "./text.ts";
import { readTime, type TimeLimits } from "./times.ts";
import { ALL_WORDS, OPEN_WORDS, PHRASES, RESOLVED_WORDS } from "./words.ts";

export interface ReadOptions extends TimeLimits {
  readonly nowMs: number;
  /** Names of services as incidents have them. */
  readonly known: readonly string[];
}

export interface Reading {
  readonly understood: Understood;
  readonly ambiguous: NamedServices["ambiguous"];
  /** Why the time it names cannot be. */
  readonly badTime: string | undefined;
  /** It says that all services are meant. */
  readonly isOfAll: boolean;
}

const UUID = /(?<![\w-])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![\w-])/;
/** Behind the word itself; with a digit, so that no word is taken for an id. */
const INCIDENT_ID =
  /(?<!\p{L})(?:incident|vorfall|incidente|storung|alarm|alarme|allarme)\s?(?:nr\.?|no\.?|id|numero|#|:)?\s?#?(?=[0-9a-f-]*\d)([0-9a-f][0-9a-f-]{3,127})(?![\p{L}\d])/u;

/** Reads a question; everything in the answer is bounded. */
export function readQuestion(text: string, options: ReadOptions): Reading {
  const { nowMs, known } = options;
  const question = plainText(text, QUESTION_CHARS_MAX);
  const plain = folded(question);
  // In Italian `alle 14:30` is a time, and not all of something.
  const words = wordsOf(plain).replace(/ alle (?=\d)/gu, " ");
  const incident = (UUID.exec(plain) ?? INCIDENT_ID.exec(plain)?.slice(1))?.[0];
  // Neither services nor times are in an incident's id.
  const rest = incident === undefined ? question : withoutId(question, incident);
  const time = readTime(rest, nowMs, options);
  const { services, ambiguous } = findServices(rest, known);
  const states = statesOf(words);
  const intent = intentOf(words, incident);
  const understood: Understood = {
    ...(intent === undefined ? {} : { intent }),
    services: [...services],
    ...(time.kind === "window" ? { window: windowToJson(time.window) } : {}),
    ...(incident === undefined ? {} : { incident }),
    ...(states === undefined ? {} : { states }),
  };
  const badTime = time.kind === "unclear" ? time.why : undefined;
  return { understood, ambiguous, badTime, isOfAll: hasPhrase(words, ALL_WORDS) };
}

/** What a later message of the same task adds to what was understood before. */
export function merged(before: Understood, now: Understood): Understood {
  const services = now.services.length > 0 ? now.services : before.services;
  return { ...before, ...now, services };
}

/** The window as milliseconds. */
export function windowOf({ window }: Understood): Window | undefined {
  return window && { startMs: Date.parse(window.start), endMs: Date.parse(window.end) };
}

function intentOf(words: string, incident: string | undefined): Intent | undefined {
  const named = PHRASES.find(([, phrases]) => hasPhrase(words, phrases))?.[0];
  if (incident === undefined) return named;
  return named === "past" ? "past" : "incident";
}

function statesOf(words: string): IncidentState[] | undefined {
  if (hasPhrase(words, ALL_WORDS)) return [...INCIDENT_STATES];
  const isOpen = hasPhrase(words, OPEN_WORDS);
  const isOver = hasPhrase(words, RESOLVED_WORDS);
  if (!isOpen && !isOver) return undefined;
  const open: IncidentState[] = isOpen ? ["pending", "open"] : [];
  return isOver ? [...open, "resolved", "closed"] : open;
}

function withoutId(question: string, id: string): string {
  const at = question.toLowerCase().indexOf(id);
  return at < 0 ? question : `${question.slice(0, at)} ${question.slice(at + id.length)}`;
}
