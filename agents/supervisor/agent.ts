/**
 * The supervisor agent: a question in plain words comes in, the agents that have the skill are asked, an
 * answer with citations goes out. What is unclear is asked back. It reads no system, decides nothing about
 * telemetry, and can ask for nothing but the skills of route.ts, whatever a question says.
 */
import type { AgentDefinition, Turn, TurnResult } from "../../a2a/mod.ts";
import { classified } from "./classify.ts";
import { continued, intentOf, pendingQuestion, QUESTION_ARTIFACT } from "./dialogue.ts";
import { Inquiry } from "./inquiry.ts";
import type { SupervisorOptions } from "./options.ts";
import { type Reading, readQuestion } from "./question.ts";
import {
  ASK_SKILL,
  QUESTION_CHARS_MAX,
  QUESTION_SCHEMA,
  type Question,
  type Understood,
} from "./record.ts";
import { type Missing, missingOf, serviceQuestion } from "./route.ts";

/** A task that asked so often back has failed. */
const ASKED_MAX = 5;

/** What others see of the agent, and what it does with a question. */
export function makeSupervisorAgent(options: SupervisorOptions): AgentDefinition {
  return {
    name: "supervisor",
    description: "Answers questions about the services in plain words, with citations.",
    version: "1.0.0",
    skills: [
      {
        id: ASK_SKILL,
        name: "Ask",
        description:
          "Takes a question as text, asks the agents that have the skill, and answers with citations; an unclear question comes back as input-required.",
        tags: ["sre", "question"],
        examples: [
          "why is payment failing since 14:40?",
          "which incidents are open?",
          "what do the logs of ledger-service say in the last 30 minutes?",
        ],
      },
    ],
    // What it asks for bears ids made of the task's: asked again, nothing is done twice.
    repeatable: true,
    run: (turn) => answer(turn, options),
  };
}

async function answer(turn: Turn, options: SupervisorOptions): Promise<TurnResult> {
  const { text } = turn;
  if (text.length > QUESTION_CHARS_MAX) {
    const words = `The question has ${text.length.toLocaleString("en-US")} characters, at most ${QUESTION_CHARS_MAX.toLocaleString("en-US")} are read.`;
    return { kind: "rejected", text: words };
  }
  const pending = pendingQuestion(turn.task);
  const inquiry = new Inquiry(turn, options);
  const { reading, known } = await read(turn, options, inquiry, pending);
  turn.log.info("ask.read", {
    intent: intentOf(reading),
    services: reading.understood.services.length,
  });
  const missing = unclear(reading, known);
  if (missing) return askBack(turn, missing, reading.understood, pending);
  const found = await inquiry.answer(reading.understood);
  if (found.kind === "missing") return askBack(turn, found.missing, reading.understood, pending);
  if (found.kind === "failed") return { kind: "failed", text: found.text };
  await turn.artifact("answer", found.answer);
  return { kind: "completed", text: found.answer.answer, data: found.answer };
}

interface Read {
  readonly reading: Reading;
  readonly known: readonly string[];
}

/** By rules, and where they do not understand it by a model, if there is one. */
async function read(
  turn: Turn,
  options: SupervisorOptions,
  inquiry: Inquiry,
  pending: Question | undefined,
): Promise<Read> {
  const { clock, llm, redact, log } = options;
  const { text, signal } = turn;
  const nowMs = clock.nowMs();
  const rules = { ...options, nowMs };
  const first = readQuestion(text, { ...rules, known: [] });
  const { intent } = first.understood;
  if (intent === "agents" || intent === "incident")
    return { reading: continued(pending, text, first), known: [] };
  const names = await inquiry.knownServices();
  const candidates = pending?.needs === "service" ? pending.candidates : [];
  const known = [...new Set([...candidates, ...names])];
  const own = readQuestion(text, { ...rules, known: candidates.length > 0 ? candidates : known });
  const reading = continued(pending, text, own);
  if (reading.understood.intent !== undefined || !llm || text.trim() === "")
    return { reading, known };
  turn.progress("asking a model what is meant");
  return {
    reading: await classified(text, reading, { ...rules, known, llm, redact, log, signal }),
    known,
  };
}

function unclear(
  { understood, ambiguous, badTime, isOfAll }: Reading,
  known: readonly string[],
): Missing | undefined {
  const { intent } = understood;
  const missing = missingOf(understood, known);
  if (missing?.needs === "intent") return missing;
  if (intent === "agents" || intent === "incident") return missing;
  if (badTime !== undefined) return { needs: "window", question: badTime, candidates: [] };
  if (isOfAll) return undefined;
  if (ambiguous && understood.services.length === 0)
    return serviceQuestion(
      `Which service is "${ambiguous.word.slice(0, 100)}"?`,
      ambiguous.candidates,
    );
  return missing;
}

/** Lets the task wait for its caller, with what was understood so far. */
async function askBack(
  turn: Turn,
  { needs, question, candidates }: Missing,
  understood: Understood,
  pending: Question | undefined,
): Promise<TurnResult> {
  const asked = (pending?.asked ?? 0) + 1;
  if (asked > ASKED_MAX) {
    const text = `I asked ${ASKED_MAX} times and still do not understand. Ask anew, such as "why is payment-service failing since 14:40?".`;
    return { kind: "failed", text };
  }
  const data: Question = {
    schema: QUESTION_SCHEMA,
    needs,
    question: question.slice(0, 2_000),
    candidates: [...candidates],
    understood,
    asked,
  };
  await turn.artifact(QUESTION_ARTIFACT, data);
  return { kind: "input-required", text: data.question, data };
}
