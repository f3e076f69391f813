/** `petrel incidents silences`: those that hold or will, and the maintenance of the configuration. */
import { INCIDENTS_SCHEMA } from "../../agents/mod.ts";
import { systemClock } from "../../core/mod.ts";
import { readArgs } from "../args.ts";
import { silencesWords } from "../render/silences.ts";
import { checkedRequest } from "./client.ts";
import { answerRequest, COMMON_OPTIONS } from "./request.ts";

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, COMMON_OPTIONS);
  const request = checkedRequest({ schema: INCIDENTS_SCHEMA, action: "silences" });
  return answerRequest(
    values,
    request,
    "silences",
    (answer) => silencesWords(answer, systemClock.nowMs()),
    signal,
  );
}
