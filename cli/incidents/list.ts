/** `petrel incidents list`: those that are not over, or those asked for; newest first. */
import { INCIDENT_STATES, INCIDENTS_SCHEMA } from "../../agents/mod.ts";
import { PetrelError } from "../../core/mod.ts";
import { readArgs } from "../args.ts";
import { numberOf } from "../audit/words.ts";
import { listWords } from "../render/incidents.ts";
import { checkedRequest } from "./client.ts";
import { answerRequest, COMMON_OPTIONS } from "./request.ts";

const OPTIONS = {
  ...COMMON_OPTIONS,
  state: { type: "string" },
  service: { type: "string" },
  limit: { type: "string" },
} as const;

type State = (typeof INCIDENT_STATES)[number];

const NOT_CLOSED: readonly State[] = INCIDENT_STATES.filter((state) => state !== "closed");

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const { service, limit } = values;
  const states = statesOf(values.state);
  const request = checkedRequest({
    schema: INCIDENTS_SCHEMA,
    action: "list",
    states,
    ...(service === undefined ? {} : { service }),
    ...(limit === undefined ? {} : { limit: numberOf(limit, "--limit", 1) }),
  });
  const asked = { states, service };
  return answerRequest(values, request, "incidents", (one) => listWords(one, asked), signal);
}

/** `open,resolved`, or `all`. Throws USAGE naming what is none. */
function statesOf(text: string | undefined): readonly State[] {
  if (text === undefined) return NOT_CLOSED;
  if (text === "all") return INCIDENT_STATES;
  const states = text.split(",").map((word) => {
    const found = INCIDENT_STATES.find((state) => state === word.trim());
    if (found !== undefined) return found;
    const message = `--state "${word.slice(0, 40)}": one or more of ${INCIDENT_STATES.join(",")}, or all`;
    throw new PetrelError("USAGE", message, { path: "state" });
  });
  return [...new Set(states)];
}
