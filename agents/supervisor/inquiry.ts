/**
 * Asks the mesh for one turn, by the fixed table of route.ts. Every call bears an id made of the task's
 * and the turn's deadline; what an agent answers is checked before a word of it is used.
 */
import type { Turn } from "../../a2a/mod.ts";
import { messageOf, newTrace, PetrelError } from "../../core/mod.ts";
import {
  INCIDENTS_SKILL,
  type IncidentsAnswer,
  type IncidentsAsked,
  readIncidentsAnswer,
} from "../incidents/protocol.ts";
import { agentsAnswer, incidentAnswer, incidentsAnswer, listSentences } from "./incident-answer.ts";
import type { SupervisorOptions } from "./options.ts";
import { isNoSuchSkill, type SkillAnswer } from "./port.ts";
import type { Answer, Citation, Understood } from "./record.ts";
import {
  INVESTIGATE_SKILL,
  incidentRequest,
  incidentsRequest,
  investigation,
  knownRequest,
  type Missing,
  serviceQuestion,
  windowToLookAt,
  windowWords,
} from "./route.ts";
import { readVerdict, verdictAnswer } from "./verdict-answer.ts";
import { quoted } from "./words-of.ts";

export type Found =
  | { readonly kind: "answer"; readonly answer: Answer }
  | { readonly kind: "missing"; readonly missing: Missing }
  | { readonly kind: "failed"; readonly text: string };

/** Kept back of a caller's patience, to answer within it. */
const ANSWER_MS = 1_000;
/** The names of services are worth this wait, and no more. */
const KNOWN_MS_MAX = 3_000;
const KNOWN_MAX = 500;

export class Inquiry {
  readonly #turn: Turn;
  readonly #options: SupervisorOptions;
  readonly #prefix: string;

  constructor(turn: Turn, options: SupervisorOptions) {
    this.#turn = turn;
    this.#options = options;
    this.#prefix = `ask-${turn.taskId}-${turn.task?.history.length ?? 0}`.slice(0, 100);
  }

  /** The services that incidents name. None where they cannot be read: then none is known. */
  async knownServices(): Promise<string[]> {
    try {
      const answer = await this.#incidents(knownRequest(), "known", KNOWN_MS_MAX);
      if (answer.kind !== "incidents") return [];
      const names = answer.incidents.flatMap(({ service, services }) => [service, ...services]);
      return [...new Set(names.filter((name) => name !== ""))].slice(0, KNOWN_MAX);
    } catch (error) {
      this.#turn.signal.throwIfAborted();
      this.#options.log.info("ask.services_unknown", { error: messageOf(error) });
      return [];
    }
  }

  /** The answer to what was understood; all that it needs is there. */
  async answer(understood: Understood): Promise<Found> {
    try {
      return await this.#route(understood);
    } catch (error) {
      this.#turn.signal.throwIfAborted();
      return { kind: "failed", text: failureWords(error) };
    }
  }

  async #route(understood: Understood): Promise<Found> {
    const { intent = "why", incident } = understood;
    switch (intent) {
      case "agents":
        return found(agentsAnswer(await this.#options.skills.agents()));
      case "incident":
        return found(await this.#incident(understood, incident ?? ""));
      case "incidents":
        return found(await this.#list(understood));
      case "past":
        return this.#past(understood);
      case "status":
        return found(await this.#status(understood));
      case "why":
      case "logs":
      case "metrics":
        return found(await this.#investigate(understood));
      default:
        return intent satisfies never;
    }
  }

  async #incident(understood: Understood, id: string): Promise<Answer> {
    this.#turn.progress(`looking up incident ${id}`);
    const answer = await this.#incidents(incidentRequest(id), "show");
    if (answer.kind === "incident") return incidentAnswer(understood, answer.incident);
    throw new PetrelError(
      "PROTOCOL_VIOLATION",
      "the answer to a question for one incident is none",
    );
  }

  async #list(understood: Understood): Promise<Answer> {
    this.#turn.progress("looking up incidents");
    const { incidents, isCut } = await this.#listed(incidentsRequest(understood));
    return incidentsAnswer(understood, incidents, isCut);
  }

  /** Of an incident, of a service, or of the one incident that is open. */
  async #past(understood: Understood): Promise<Found> {
    if (understood.incident !== undefined)
      return found(await this.#incident(understood, understood.incident));
    if (understood.services.length > 0) return found(await this.#list(understood));
    const open = await this.#listed({ ...incidentsRequest(understood), states: ["open"] });
    // A window that nobody could judge does not happen again.
    const faults = open.incidents.filter(({ kind }) => kind === "fault");
    const [first, second] = faults;
    if (first && !second) return found(await this.#incident(understood, first.id));
    if (!first) {
      const known = await this.knownServices();
      return {
        kind: "missing",
        missing: serviceQuestion("No incident is open. Which service do you mean?", known),
      };
    }
    const shown = faults.slice(0, 10);
    const listed = shown.map(({ title }, at) => `${at + 1}. ${quoted(title, 100)}`).join("; ");
    const question = `Which of the open incidents do you mean? ${listed}`;
    return {
      kind: "missing",
      missing: { needs: "incident", question, candidates: shown.map(({ id }) => id) },
    };
  }

  /** What is open, and the last complete window. */
  async #status(understood: Understood): Promise<Answer> {
    const open = await this.#openIncidents(understood);
    return this.#investigate(understood, open);
  }

  async #openIncidents(
    understood: Understood,
  ): Promise<{ before: string[]; citations: Citation[] }> {
    try {
      this.#turn.progress("looking up open incidents");
      const { incidents, isCut } = await this.#listed(incidentsRequest(understood));
      const { sentences, citations } = listSentences(incidents, { isCut, what: "open incident" });
      return { before: incidents.length === 0 ? ["No incident is open."] : sentences, citations };
    } catch (error) {
      this.#turn.signal.throwIfAborted();
      const why = failureWords(error).replace(/\.$/, "");
      return { before: [`The open incidents could not be read: ${why}.`], citations: [] };
    }
  }

  async #investigate(
    understood: Understood,
    more: { before?: string[]; citations?: Citation[] } = {},
  ): Promise<Answer> {
    const { clock, everyMs, settleMs } = this.#options;
    const window = windowToLookAt(understood, { nowMs: clock.nowMs(), everyMs, settleMs });
    const request = investigation(understood, window, this.#prefix);
    this.#turn.progress(`investigating ${windowWords(request.window)}`, { window: request.window });
    const answer = await this.#ask(INVESTIGATE_SKILL, request, "window");
    if (answer.state !== "completed") throw notDone(answer);
    const verdict = readVerdict(answer.data.get("verdict"));
    return verdictAnswer(understood, verdict, { isDefaultWindow: !understood.window, ...more });
  }

  async #listed(request: IncidentsAsked) {
    const answer = await this.#incidents(request, "list");
    if (answer.kind === "incidents") return answer;
    throw new PetrelError("PROTOCOL_VIOLATION", "the answer to a question for incidents is none");
  }

  async #incidents(
    request: IncidentsAsked,
    step: string,
    waitMs?: number,
  ): Promise<IncidentsAnswer> {
    const answer = await this.#ask(INCIDENTS_SKILL, request, step, waitMs);
    if (answer.state !== "message" && answer.state !== "completed") throw notDone(answer);
    return readIncidentsAnswer(answer.data.get(""));
  }

  #ask(
    skill: string,
    data: unknown,
    step: string,
    waitMs = Number.POSITIVE_INFINITY,
  ): Promise<SkillAnswer> {
    const { turn, options } = { turn: this.#turn, options: this.#options };
    const nowMs = options.clock.nowMs();
    return options.skills.ask(skill, data, {
      contextId: turn.contextId,
      messageId: `${this.#prefix}-${step}`,
      deadlineMs: Math.min(turn.deadlineMs - ANSWER_MS, nowMs + waitMs),
      trace: turn.trace ?? newTrace(),
      signal: turn.signal,
      onProgress: (text) => turn.progress(quoted(text, 300)),
    });
  }
}

function found(answer: Answer): Found {
  return { kind: "answer", answer };
}

function notDone({ state, text }: SkillAnswer): PetrelError {
  const words = quoted(text, 500) || `it ended as ${state}`;
  return new PetrelError("INCOMPLETE", `the agent could not answer: ${words}`, { state });
}

/** Why there is no answer, for the person who asked. */
function failureWords(error: unknown): string {
  if (isNoSuchSkill(error))
    return `${messageOf(error)}, so nobody can look into it. Start one with: petrel up --role sre`;
  if (error instanceof PetrelError && error.code === "DEADLINE_EXCEEDED")
    return "There was no answer in time. What was asked for goes on: ask again in a while.";
  return messageOf(error);
}
