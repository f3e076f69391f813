/** `petrel incidents unsilence ID`: a silence ends now, and people are told again. */
import { INCIDENTS_SCHEMA } from "../../agents/mod.ts";
import { systemClock } from "../../core/mod.ts";
import { readArgs } from "../args.ts";
import { unsilencedWords } from "../render/silences.ts";
import { checkedRequest } from "./client.ts";
import { idOf } from "./ids.ts";
import { answerRequest, COMMON_OPTIONS } from "./request.ts";

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = readArgs(argv, COMMON_OPTIONS, 1);
  const silence = idOf(positionals, "unsilence");
  const request = checkedRequest(
    { schema: INCIDENTS_SCHEMA, action: "unsilence", silence },
    { silence: "ID" },
  );
  return answerRequest(
    values,
    request,
    "silences",
    (answer) => unsilencedWords(silence, answer, systemClock.nowMs()),
    signal,
  );
}
