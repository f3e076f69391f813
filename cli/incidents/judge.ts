/** A person's judgement of a cause. It is kept with the incident, and shown when one like it comes. */
import { INCIDENTS_SCHEMA } from "../../agents/mod.ts";
import { readArgs } from "../args.ts";
import { judgementWords } from "../render/incidents.ts";
import { checkedRequest } from "./client.ts";
import { idOf } from "./ids.ts";
import { answerRequest, COMMON_OPTIONS } from "./request.ts";

const OPTIONS = {
  ...COMMON_OPTIONS,
  cause: { type: "string" },
  note: { type: "string" },
} as const;

export async function judge(
  action: "confirm" | "reject",
  argv: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const { values, positionals } = readArgs(argv, OPTIONS, 1);
  const { cause, note } = values;
  const request = checkedRequest(
    {
      schema: INCIDENTS_SCHEMA,
      action,
      incident: idOf(positionals, action),
      ...(cause === undefined ? {} : { cause }),
      ...(note === undefined ? {} : { note }),
    },
    { incident: "ID" },
  );
  return answerRequest(
    values,
    request,
    "incident",
    ({ incident }) => judgementWords(incident),
    signal,
  );
}
