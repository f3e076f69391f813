/** `petrel incidents show ID`: all there is of one incident, what matters at night first. */
import { INCIDENTS_SCHEMA } from "../../agents/mod.ts";
import { systemClock } from "../../core/mod.ts";
import { readArgs } from "../args.ts";
import { incidentWords } from "../render/incident.ts";
import { checkedRequest } from "./client.ts";
import { idOf } from "./ids.ts";
import { answerRequest, COMMON_OPTIONS } from "./request.ts";

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = readArgs(argv, COMMON_OPTIONS, 1);
  const incident = idOf(positionals, "show");
  const request = checkedRequest(
    { schema: INCIDENTS_SCHEMA, action: "show", incident },
    { incident: "ID" },
  );
  return answerRequest(
    values,
    request,
    "incident",
    (answer) => incidentWords(answer.incident, systemClock.nowMs()),
    signal,
  );
}
