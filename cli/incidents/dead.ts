/** `petrel incidents dead`: incidents with notices that a sink never took, closed ones too; newest first. */
import { INCIDENT_STATES, INCIDENTS_SCHEMA } from "../../agents/mod.ts";
import { readArgs } from "../args.ts";
import { numberOf } from "../audit/words.ts";
import { deadWords } from "../render/redelivered.ts";
import { checkedRequest } from "./client.ts";
import { answerRequest, COMMON_OPTIONS } from "./request.ts";

const OPTIONS = {
  ...COMMON_OPTIONS,
  service: { type: "string" },
  limit: { type: "string" },
} as const;

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const { service, limit } = values;
  const request = checkedRequest({
    schema: INCIDENTS_SCHEMA,
    action: "list",
    states: INCIDENT_STATES,
    isDead: true,
    ...(service === undefined ? {} : { service }),
    ...(limit === undefined ? {} : { limit: numberOf(limit, "--limit", 1) }),
  });
  return answerRequest(values, request, "incidents", (one) => deadWords(one, service), signal);
}
