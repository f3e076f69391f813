/** `petrel incidents silence`: nobody is told of what matches, until it ends. It is still found and kept. */
import { INCIDENTS_SCHEMA } from "../../agents/mod.ts";
import { PetrelError, parseDurationMs, parseInstantMs, systemClock } from "../../core/mod.ts";
import { readArgs } from "../args.ts";
import { silencedWords } from "../render/silences.ts";
import { checkedRequest } from "./client.ts";
import { matchersOf } from "./matchers.ts";
import { answerRequest, COMMON_OPTIONS } from "./request.ts";

const OPTIONS = {
  ...COMMON_OPTIONS,
  match: { type: "string", multiple: true },
  for: { type: "string" },
  from: { type: "string" },
  until: { type: "string" },
  comment: { type: "string" },
} as const;

/** The last instant that is written with four digits for the year. */
const LAST_MS = Date.parse("9999-12-31T23:59:59Z");

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const matchers = matchersOf(values.match ?? []);
  const span = spanOf(values, systemClock.nowMs());
  const { comment } = values;
  if (comment === undefined || comment.trim() === "")
    throw usage("comment", '--comment is missing: say why, for whoever wonders (--comment "…")');
  const request = checkedRequest({
    schema: INCIDENTS_SCHEMA,
    action: "silence",
    matchers,
    ...span,
    comment,
  });
  return answerRequest(
    values,
    request,
    "silence",
    (answer) => silencedWords(answer, systemClock.nowMs()),
    signal,
  );
}

interface Span {
  readonly for?: string | undefined;
  readonly from?: string | undefined;
  readonly until?: string | undefined;
}

/** From when until when, as ISO 8601. Throws USAGE for an end that is missing, past or before the start. */
export function spanOf(values: Span, nowMs: number): { from?: string; until: string } {
  const { for: length, from, until } = values;
  if ((length === undefined) === (until === undefined))
    throw usage("until", "say how long, with one of --for 2h and --until T");
  const fromMs = from === undefined ? nowMs : parseInstantMs(from, "--from");
  const untilMs =
    until === undefined
      ? fromMs + parseDurationMs(length ?? "", "--for")
      : parseInstantMs(until, "--until");
  if (untilMs <= fromMs) throw usage("until", "the silence would end before it begins");
  if (untilMs <= nowMs) throw usage("until", "the silence would be over already");
  if (untilMs > LAST_MS) throw usage("until", "the silence would end after the year 9999");
  return {
    ...(from === undefined ? {} : { from: new Date(fromMs).toISOString() }),
    until: new Date(untilMs).toISOString(),
  };
}

function usage(path: string, message: string): PetrelError {
  return new PetrelError("USAGE", message, { path });
}
