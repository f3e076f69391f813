/**
 * Bad answers, as many as one likes, from a seed: each holds claims that nothing supports, or is no answer at
 * all. They have the shape of agents/explain/answer.ts, and sound like the real ones. A test asks for them
 * and looks where their claims end up.
 */
import type { Random } from "../scenarios/random.ts";
import type { PromptFacts } from "./facts.ts";
import { CLAIMS, type ClaimKind, type Planted } from "./planted-claims.ts";
import type { LlmSimMode } from "./server.ts";

export const PLANTED_KINDS = [
  "false_citation",
  "says_otherwise",
  "wrong_service",
  "invented_number",
  "wrong_cause",
  "bad_step",
  "too_long",
  "too_many",
  "broken_json",
  "truncated_json",
  "html",
  "empty",
  "outside_schema",
  "refusal",
  "filtered",
  "cut_body",
  "timeout",
  "endpoint_error",
] as const;
export type PlantedKind = (typeof PLANTED_KINDS)[number];

export interface PlantedAnswer {
  readonly kind: PlantedKind;
  /** How the stand-in has to behave. */
  readonly mode: LlmSimMode;
  /** The answer's text as it is; undefined where the mode says all. */
  readonly raw?: string;
  /** What may not be told: in no title, text or step. */
  readonly claims: readonly string[];
}

/** One answer. The same state of `random` and the same facts give the same one. */
export function plantedAnswer(
  random: Random,
  facts: PromptFacts,
  kind?: PlantedKind,
): PlantedAnswer {
  const chosen = kind ?? pick(random, PLANTED_KINDS);
  const planted = claimsFor(chosen, random, facts);
  const whole = JSON.stringify(answerOf(random, facts, planted));
  const claims = planted.flatMap((one) => one.claims);
  const made = { kind: chosen, claims, mode: "ok" as LlmSimMode };
  switch (chosen) {
    case "broken_json":
      return { ...made, raw: broken(random, whole) };
    case "truncated_json":
      return {
        ...made,
        mode: pick(random, ["ok", "length"]),
        raw: whole.slice(0, random.between(1, whole.length - 1)),
      };
    case "html":
      return { ...made, raw: `<!doctype html><html><body>${whole}</body></html>` };
    case "empty":
      return { ...made, raw: pick(random, ["", " ", "\n", "null", "{}", "[]", '""', "0"]) };
    case "outside_schema":
      return {
        ...made,
        raw: JSON.stringify({ ...answerOf(random, facts, planted), severity: "info" }),
      };
    case "refusal":
      return { ...made, mode: "refuse" };
    case "filtered":
      return { ...made, mode: "content_filter" };
    case "cut_body":
      return { ...made, mode: "cut", raw: whole };
    case "timeout":
      return { ...made, mode: "timeout" };
    case "endpoint_error":
      return {
        ...made,
        mode: pick(random, [
          "server_error",
          "rate_limited",
          "unauthorized",
          "context_length",
          "not_json",
        ]),
      };
    default:
      return { ...made, raw: whole };
  }
}

function claimsFor(kind: PlantedKind, random: Random, facts: PromptFacts): Planted[] {
  const known = isClaimKind(kind)
    ? kind
    : pick(random, ["invented_number", "wrong_service", "says_otherwise"] as const);
  const count = kind === "too_many" ? 40 : random.between(1, 3);
  return Array.from({ length: count }, () => CLAIMS[known](random, facts));
}

function isClaimKind(kind: string): kind is ClaimKind {
  return Object.hasOwn(CLAIMS, kind);
}

/** The claims among true statements, in any place of an answer. */
function answerOf(random: Random, facts: PromptFacts, planted: readonly Planted[]) {
  const [cause] = facts.causes;
  const evidence = cause?.evidence.slice(0, 2) ?? [];
  const first = facts.evidence.find(({ id }) => id === evidence[0]);
  const truth = { text: first?.summary ?? "", evidence: evidence.slice(0, 1) };
  const steps = planted.filter(({ isStep }) => isStep);
  const told = planted
    .filter(({ isStep }) => !isStep)
    .map(({ text, evidence: ids }) => ({ text, evidence: ids }));
  const isHeadline = told.length > 0 && random.fraction() < 0.4;
  const kinds = ["what", "cause", "chain", "blast", "against"] as const;
  const statements = [
    ...told.slice(isHeadline ? 1 : 0).map((one) => ({ kind: pick(random, kinds), ...one })),
    ...(random.fraction() < 0.5 ? [{ kind: "what" as const, ...truth }] : []),
  ];
  const root = planted.find(({ rootCause }) => rootCause !== undefined)?.rootCause;
  return {
    headline: (isHeadline ? told[0] : undefined) ?? truth,
    rootCause: root ?? {
      service: cause?.service ?? "",
      mechanism: cause?.mechanism ?? "",
      evidence,
    },
    statements,
    next: steps.map(({ text, evidence: ids }) => ({ text, evidence: ids })),
    confidence: pick(random, [1, 0.99, 0.5]),
    ask: [],
  };
}

/** JSON that no parser takes. */
function broken(random: Random, text: string): string {
  const at = random.between(1, text.length - 1);
  return pick(random, [
    `Here is my answer: ${text}`,
    text.replaceAll('"', "'"),
    `${text.slice(0, at)}\u0000${text.slice(at)}}`,
    `${text}${text}`,
    text.replace(":", "="),
    `{${text}`,
  ]);
}

function pick<T>(random: Random, all: readonly T[]): T {
  const found = all[random.between(0, all.length - 1)];
  if (found === undefined) throw new RangeError("nothing to pick from");
  return found;
}
