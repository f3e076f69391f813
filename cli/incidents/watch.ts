/**
 * `petrel incidents watch`: every change of every incident as it comes, until stopped. It looks again and
 * again; an agent that is away for a while is waited for.
 */
import {
  type Change,
  INCIDENT_STATES,
  INCIDENTS_SCHEMA,
  type IncidentSummary,
} from "../../agents/mod.ts";
import {
  isRetryable,
  messageOf,
  PetrelError,
  parseDurationMs,
  systemClock,
} from "../../core/mod.ts";
import { configFrom, readArgs } from "../args.ts";
import { warn } from "../audit/words.ts";
import { listWords, watchedWords } from "../render/incidents.ts";
import { oneLine } from "../render/text.ts";
import { checkedRequest, SreClient } from "./client.ts";
import { COMMON_OPTIONS, isOf, jsonText, unexpected } from "./request.ts";

const OPTIONS = { ...COMMON_OPTIONS, every: { type: "string" } } as const;

const EVERY_MS = 5_000;
const EVERY_MS_MIN = 500;
const SEEN_MAX = 500;

/** How an incident was when it was last looked at. */
interface Seen {
  readonly updatedAt: string;
  /** Of the last change that was shown. */
  readonly seq?: number;
}

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const everyMs = values.every === undefined ? EVERY_MS : parseDurationMs(values.every, "--every");
  if (everyMs < EVERY_MS_MIN)
    throw new PetrelError("USAGE", "--every: at least 500ms", { path: "every" });
  const client = await SreClient.open(configFrom(values));
  const isJson = values.json ?? false;
  try {
    let seen = await begin(client, isJson, signal);
    for (;;) {
      await systemClock.sleep(everyMs, signal);
      seen = await look(client, seen, isJson, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        if (!isRetryable(error)) throw error;
        warn(`${oneLine(messageOf(error), 300)}; still watching`);
        return seen;
      });
    }
  } catch (error) {
    if (signal.aborted) return 0;
    throw error;
  } finally {
    await client.close();
  }
}

/** Shows what there is, so that what follows has a beginning. */
async function begin(
  client: SreClient,
  isJson: boolean,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Seen>> {
  const states = INCIDENT_STATES.filter((state) => state !== "closed");
  const all = await listed(client, signal);
  const incidents = all.filter(({ state }) => state !== "closed");
  if (!isJson) process.stdout.write(`${listWords({ incidents, isCut: false }, { states })}\n`);
  return new Map(all.map(({ id, updatedAt }) => [id, { updatedAt }]));
}

interface Told {
  readonly incident: IncidentSummary;
  readonly change: Change;
}

/** Shows what is new since the last look, oldest first. Resolves with how everything is now. */
async function look(
  client: SreClient,
  before: ReadonlyMap<string, Seen>,
  isJson: boolean,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Seen>> {
  const after = new Map<string, Seen>();
  const told: Told[] = [];
  for (const incident of await listed(client, signal)) {
    const { id, updatedAt } = incident;
    const last = before.get(id);
    if (last?.updatedAt === updatedAt) {
      after.set(id, last);
      continue;
    }
    const changes = await changesOf(client, id, last, signal);
    told.push(...changes.map((change) => ({ incident, change })));
    const seq = changes.at(-1)?.seq ?? last?.seq;
    after.set(id, { updatedAt, ...(seq === undefined ? {} : { seq }) });
  }
  const inOrder = told.toSorted(
    (one, other) => Date.parse(one.change.at) - Date.parse(other.change.at),
  );
  for (const { incident, change } of inOrder) {
    const words = isJson ? jsonText({ incident, change }) : watchedWords(incident, change);
    process.stdout.write(`${words}\n`);
  }
  return after;
}

/** What came to an incident's timeline since it was last looked at, oldest first. */
async function changesOf(
  client: SreClient,
  incident: string,
  last: Seen | undefined,
  signal: AbortSignal,
): Promise<readonly Change[]> {
  const request = checkedRequest({ schema: INCIDENTS_SCHEMA, action: "show", incident });
  const answer = await client.ask(request, signal);
  if (answer.kind === "refused") return [];
  if (!isOf(answer, "incident")) throw unexpected(answer.kind);
  const { timeline } = answer.incident;
  if (last === undefined) return timeline;
  const { seq } = last;
  if (seq !== undefined) return timeline.filter((change) => change.seq > seq);
  return timeline.filter(({ at }) => Date.parse(at) > Date.parse(last.updatedAt));
}

async function listed(client: SreClient, signal: AbortSignal): Promise<readonly IncidentSummary[]> {
  const request = checkedRequest({
    schema: INCIDENTS_SCHEMA,
    action: "list",
    states: INCIDENT_STATES,
    limit: SEEN_MAX,
  });
  const answer = await client.ask(request, signal);
  if (answer.kind === "refused") throw new PetrelError("QUERY_REFUSED", answer.text);
  if (!isOf(answer, "incidents")) throw unexpected(answer.kind);
  return answer.incidents;
}
