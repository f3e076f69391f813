/**
 * What a message means in its task: the first is a question, a later one answers what was asked back. It
 * keeps what was understood before, and asks nobody.
 */
import type { Task } from "@a2a-js/sdk";
import { merged, type Reading } from "./question.ts";
import { type Intent, Question } from "./record.ts";
import { INTENT_CHOICES } from "./route.ts";
import { folded, plainText } from "./text.ts";

/** The artifact that holds what is asked back. */
export const QUESTION_ARTIFACT = "question";

const CHOICE = /^#?(\d{1,2})[.)]?$/;
const NAME = /^[\p{L}\p{N}][\p{L}\p{N}._-]{1,199}$/u;
const ID = /^[0-9a-f-]{4,128}$/;

/** What the task asked last, if it asked. What is stored there comes from us, and is checked all the same. */
export function pendingQuestion(task: Task | undefined): Question | undefined {
  const asked = task?.artifacts.filter(({ name }) => name === QUESTION_ARTIFACT).at(-1);
  const content = asked?.parts[0]?.content;
  if (content?.$case !== "data") return undefined;
  const parsed = Question.safeParse(content.value);
  return parsed.success ? parsed.data : undefined;
}

/** The reading of a message together with what its task knew before. */
export function continued(pending: Question | undefined, text: string, reading: Reading): Reading {
  if (!pending) return reading;
  const plain = plainText(text, 400);
  const understood = merged(pending.understood, reading.understood);
  const chosen = choiceOf(pending, plain);
  switch (pending.needs) {
    case "intent": {
      const intent = INTENT_CHOICES.find((one) => one === chosen);
      return { ...reading, understood: { ...understood, ...(intent ? { intent } : {}) } };
    }
    case "service":
      return withService(reading, pending, understood, plain, chosen);
    case "incident": {
      const id = chosen ?? (ID.test(folded(plain)) ? folded(plain) : undefined);
      return { ...reading, understood: { ...understood, ...(id ? { incident: id } : {}) } };
    }
    case "window":
      return { ...reading, understood };
    default:
      return pending.needs satisfies never;
  }
}

function withService(
  reading: Reading,
  pending: Question,
  understood: Reading["understood"],
  plain: string,
  chosen: string | undefined,
): Reading {
  if (chosen !== undefined)
    return { ...reading, ambiguous: undefined, understood: { ...understood, services: [chosen] } };
  if (reading.isOfAll || reading.understood.services.length > 0) return { ...reading, understood };
  const { candidates } = pending;
  // A name that nobody knows yet: if there is none, its logs say so.
  if (candidates.length === 0 && NAME.test(plain))
    return { ...reading, understood: { ...understood, services: [plain] } };
  // It is another question, or none of the candidates: then it is asked again.
  if (reading.understood.intent !== undefined || reading.ambiguous || candidates.length === 0)
    return { ...reading, understood };
  return { ...reading, ambiguous: { word: plain, candidates }, understood };
}

/** A candidate by its number, by its name, or by a part of it that no other has. */
function choiceOf({ candidates }: Question, plain: string): string | undefined {
  const number = CHOICE.exec(plain)?.[1];
  if (number !== undefined) return candidates[Number(number) - 1];
  const exact = candidates.find((one) => folded(one) === folded(plain));
  if (exact !== undefined) return exact;
  const words = new Set(folded(plain).split(/[^\p{L}\p{N}]+/u));
  const partly = candidates.filter((one) =>
    folded(one)
      .split(/[-_.]/)
      .some((part) => words.has(part) && isOnly(part, candidates)),
  );
  return partly.length === 1 ? partly[0] : undefined;
}

function isOnly(part: string, candidates: readonly string[]): boolean {
  return candidates.filter((one) => folded(one).split(/[-_.]/).includes(part)).length === 1;
}

/** The intent of a reading, for logs. */
export function intentOf({ understood }: Reading): Intent | "unclear" {
  return understood.intent ?? "unclear";
}
