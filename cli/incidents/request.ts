/** One request from the command line: asked, and its answer printed as words or as one JSON object. */
import type { IncidentsAnswer, IncidentsRequest } from "../../agents/mod.ts";
import { PetrelError } from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom } from "../args.ts";
import { warn } from "../audit/words.ts";
import { SreClient } from "./client.ts";

export const COMMON_OPTIONS = { ...CONFIG_OPTIONS, json: { type: "boolean" } } as const;

export interface CommonValues {
  readonly config?: string | undefined;
  readonly nats?: string | undefined;
  readonly json?: boolean | undefined;
}

type Kind = IncidentsAnswer["kind"];
type AnswerOf<K extends Kind> = Extract<IncidentsAnswer, { kind: K }>;

/** The agent said no: there is no such incident, or it is not one alone. */
const REFUSED = 1;

/**
 * Asks, and prints the answer of the kind that belongs to the request: `words` of it, or itself as JSON.
 * Resolves with the exit code, which `codeOf` says of an answer that is no success. Throws as SreClient.ask.
 */
export async function answerRequest<K extends Kind>(
  values: CommonValues,
  request: IncidentsRequest,
  kind: K,
  words: (answer: AnswerOf<K>) => string,
  signal: AbortSignal,
  codeOf: (answer: AnswerOf<K>) => number = () => 0,
): Promise<number> {
  const client = await SreClient.open(configFrom(values));
  try {
    const answer = await client.ask(request, signal);
    if (answer.kind === "refused") {
      warn(answer.text);
      return REFUSED;
    }
    if (!isOf(answer, kind)) throw unexpected(answer.kind);
    process.stdout.write(`${values.json ? jsonText(answer) : words(answer)}\n`);
    return codeOf(answer);
  } finally {
    await client.close();
  }
}

export function isOf<K extends Kind>(answer: IncidentsAnswer, kind: K): answer is AnswerOf<K> {
  return answer.kind === kind;
}

export function unexpected(kind: string): PetrelError {
  const message = `the SRE agent answered with "${kind}", which was not asked for`;
  return new PetrelError("PROTOCOL_VIOLATION", message, { place: "data.kind" });
}

/** JSON on one line, the same value, without a character that a terminal would obey. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (text) => {
    const units = Array.from({ length: text.length }, (_, at) => text.charCodeAt(at));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
  });
}
