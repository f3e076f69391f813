/** `petrel incidents redeliver ID`: what a sink never took is sent to it again, once. */
import { INCIDENTS_SCHEMA } from "../../agents/mod.ts";
import { readArgs } from "../args.ts";
import { redeliveredWords } from "../render/redelivered.ts";
import { checkedRequest } from "./client.ts";
import { idOf } from "./ids.ts";
import { answerRequest, COMMON_OPTIONS } from "./request.ts";

const OPTIONS = { ...COMMON_OPTIONS, sink: { type: "string" } } as const;

const STILL_DEAD = 1;

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = readArgs(argv, OPTIONS, 1);
  const { sink } = values;
  const request = checkedRequest(
    {
      schema: INCIDENTS_SCHEMA,
      action: "redeliver",
      incident: idOf(positionals, "redeliver"),
      ...(sink === undefined ? {} : { sink }),
    },
    { incident: "ID" },
  );
  return answerRequest(
    values,
    request,
    "redelivered",
    (answer) => redeliveredWords(answer, sink),
    signal,
    ({ outcomes, isCut }) =>
      isCut || outcomes.some(({ state }) => state === "dead") ? STILL_DEAD : 0,
  );
}
