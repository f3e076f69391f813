/**
 * What people and other agents ask about incidents (protocol.ts), answered. Who asks is the caller of the
 * request, and stands in the timeline; a refusal says what is wrong in one sentence.
 */
import type { Turn, TurnResult } from "../../a2a/mod.ts";
import { type Clock, limits, newId, PetrelError } from "../../core/mod.ts";
import type { Book, Head } from "./book.ts";
import { changed } from "./change.ts";
import { current } from "./compose.ts";
import { deadOf } from "./deliveries.ts";
import type { IncidentDesk } from "./desk.ts";
import {
  type IncidentSummary,
  type IncidentsAnswer,
  type IncidentsRequest,
  REDELIVERED_MAX,
  readIncidentsRequest,
  IncidentSummary as SummaryShape,
} from "./protocol.ts";
import type { Change, Incident, Judgement } from "./record.ts";
import { type Maintenance, maintenanceWords, matchesAll, withSilence } from "./silences.ts";
import type { IncidentStore } from "./store.ts";
import type { Teller } from "./teller.ts";

export interface RequestsOptions {
  readonly store: IncidentStore;
  readonly desk: IncidentDesk;
  readonly teller: Teller;
  readonly maintenance: readonly Maintenance[];
  readonly clock: Clock;
  readonly owner: string;
  readonly event: (incident: Incident, change: Change, signal: AbortSignal) => Promise<string>;
}

type Asked<Action extends IncidentsRequest["action"]> = Extract<
  IncidentsRequest,
  { action: Action }
>;

const STATES_SHOWN: Asked<"list">["states"] = ["pending", "open", "resolved"];
/** It hears what anybody writes to it; subjects cannot tell what it asks for. */
const SUPERVISOR = "supervisor";
const READS: readonly IncidentsRequest["action"][] = ["list", "show", "silences"];
/** Records looked through for one list. */
const LOOKED_AT_MAX = 5_000;
/** Kept back of a caller's patience, to answer within it. */
const ANSWER_MS = 1_000;
/** Below what a message may have, as the task keeps the answer too. */
const LIST_BYTES_MAX = limits.ARTIFACT_BYTES_MAX;

/**
 * Answers with the data of a task that is completed: it reads KV first, and a plain message would have to
 * come before others can have heard of a task. A request that cannot be done ends as one that was rejected.
 */
export async function answerIncidents(turn: Turn, options: RequestsOptions): Promise<TurnResult> {
  try {
    const asked = readIncidentsRequest(turn.data);
    if (turn.caller === SUPERVISOR && !READS.includes(asked.action)) {
      return { kind: "rejected", text: "the supervisor answers questions and changes no incident" };
    }
    const answer = await answerOf(asked, turn, options);
    return { kind: "completed", text: wordsOf(answer), data: answer };
  } catch (error) {
    const isTheirs = error instanceof PetrelError && error.retry === "never";
    if (isTheirs && error.code !== "CANCELLED") return { kind: "rejected", text: error.message };
    throw error;
  }
}

function answerOf(
  asked: IncidentsRequest,
  turn: Turn,
  options: RequestsOptions,
): Promise<IncidentsAnswer> {
  switch (asked.action) {
    case "list":
      return list(asked, options);
    case "show":
      return show(asked.incident, options);
    case "confirm":
    case "reject":
      return judge(asked, turn, options);
    case "silence":
      return silence(asked, turn, options);
    case "unsilence":
      return unsilence(asked.silence, options);
    case "silences":
      return listSilences(options);
    case "redeliver":
      return redeliver(asked, turn, options);
    default:
      asked satisfies never;
      throw new PetrelError("INTERNAL", "an action of incidents that nobody handles");
  }
}

function wordsOf(answer: IncidentsAnswer): string {
  if (answer.kind === "incidents") return `${answer.incidents.length} incidents`;
  if (answer.kind === "incident") return answer.incident.title;
  if (answer.kind === "redelivered") return `${answer.outcomes.length} notices tried again`;
  return answer.kind === "silence" ? "silenced" : `${answer.silences.length} silences`;
}

async function list(
  { states = STATES_SHOWN, service, isDead, limit }: Asked<"list">,
  { store }: RequestsOptions,
): Promise<IncidentsAnswer> {
  const { heads } = await store.book();
  const ids = (await idsOf(store, heads)).reverse().slice(0, LOOKED_AT_MAX);
  const isWanted = (one: IncidentSummary) =>
    (states ?? []).includes(one.state) &&
    (service === undefined || one.services.includes(service)) &&
    (isDead === undefined || one.dead !== undefined);
  const found: IncidentSummary[] = [];
  for (let at = 0; at < ids.length && found.length <= limit; at += limit) {
    const some = ids.slice(at, at + limit);
    const records = new Map((await store.incidents(some)).map((record) => [record.id, record]));
    const known = some.map((id) => summaryOf(records.get(id), headOf(heads, id)));
    found.push(...known.filter((one) => one !== undefined).filter(isWanted));
  }
  const shown = fitting(found.slice(0, limit));
  return { kind: "incidents", incidents: shown, isCut: shown.length < found.length };
}

/** As many as one message carries. */
function fitting(found: readonly IncidentSummary[]): IncidentSummary[] {
  let bytes = 0;
  return found.filter((one) => (bytes += Buffer.byteLength(JSON.stringify(one))) <= LIST_BYTES_MAX);
}

/**
 * Every incident's id, oldest first. A record that is written while the keys are read may be missing from
 * them; what is being written is in the book.
 */
async function idsOf(store: IncidentStore, heads: readonly Head[]): Promise<string[]> {
  const listed = await store.ids();
  return [...new Set([...listed, ...heads.map(({ id }) => id)])].sort();
}

/** Of a record, or of a head that was seen in too few windows to have one. */
function summaryOf(
  record: Incident | undefined,
  head: Head | undefined,
): IncidentSummary | undefined {
  if (record) {
    const dead = [...new Set(deadOf(record).map(({ sink }) => sink))].slice(0, 20);
    const shown = { ...current(record, head), ...(dead.length > 0 ? { dead } : {}) };
    return SummaryShape.strip().parse(shown);
  }
  if (head?.state !== "pending") return undefined;
  return SummaryShape.strip().parse({ ...head, title: `${head.service}: ${head.mechanism}` });
}

function headOf(heads: readonly Head[], id: string): Head | undefined {
  return heads.find((head) => head.id === id);
}

async function show(ref: string, { store }: RequestsOptions): Promise<IncidentsAnswer> {
  const record = await recordOf(ref, store);
  const { heads } = await store.book();
  return { kind: "incident", incident: current(record, headOf(heads, record.id)) };
}

/** The incident of an id or of its beginning. Throws USAGE when there is none, or more than one. */
async function recordOf(ref: string, store: IncidentStore): Promise<Incident> {
  const exact = await store.incident(ref);
  if (exact) return exact;
  const { heads } = await store.book();
  const ids = (await idsOf(store, heads)).filter((id) => id.startsWith(ref));
  if (ids.length > 1) {
    const shown = ids.slice(-3).join(", ");
    throw new PetrelError("USAGE", `"${ref}" begins ${ids.length} incidents, such as ${shown}`);
  }
  const [id] = ids;
  if (id === undefined) throw new PetrelError("USAGE", `there is no incident "${ref}"`);
  const record = await store.incident(id);
  if (record) return record;
  throw new PetrelError("USAGE", `incident ${id} is pending: there is nothing to show of it yet`);
}

async function judge(
  asked: Asked<"confirm"> | Asked<"reject">,
  turn: Turn,
  options: RequestsOptions,
): Promise<IncidentsAnswer> {
  const { store, clock } = options;
  const { id, service, mechanism } = await recordOf(asked.incident, store);
  const isConfirmed = asked.action === "confirm";
  const at = new Date(clock.nowMs()).toISOString();
  const judgement: Judgement = {
    isConfirmed,
    by: personOf(turn),
    at,
    cause: asked.cause ?? (isConfirmed ? `${service}: ${mechanism}`.slice(0, 500) : ""),
    ...(asked.note === undefined ? {} : { note: asked.note }),
  };
  await store.changeIncident(id, (now) => now && { ...now, judgement });
  await note(id, judgement, turn, options);
  return show(id, options);
}

/** Into the timeline: by the book while the incident is in it, else straight into its record. */
async function note(
  id: string,
  { isConfirmed, by, at, cause }: Judgement,
  turn: Turn,
  options: RequestsOptions,
): Promise<void> {
  const { store, teller, owner, event } = options;
  const kind = isConfirmed ? "confirmed" : "rejected";
  const text = cause === "" ? "that was not the cause" : `the cause is ${cause}`;
  const book = await store.changeBook((now) => {
    if (!headOf(now.heads, id)) return now;
    // Rejected, and nothing else in its place: it was no incident.
    const isRejected = !isConfirmed && cause === "";
    const heads = now.heads.map((head) =>
      head.id === id
        ? changed({ ...head, isRejected }, { at }, { owner }, { kind, text, by })
        : head,
    );
    return { ...now, heads };
  });
  if (headOf(book.heads, id)) {
    await teller.see(book).recorded;
    return;
  }
  const written = await store.changeIncident(
    id,
    (now) => now && appended(now, { kind, at, text, by }),
  );
  const entry = written?.timeline.at(-1);
  if (written && entry) await event(written, entry, turn.signal);
}

function appended(
  incident: Incident,
  entry: Pick<Change, "kind" | "at" | "text" | "by">,
): Incident {
  const seq = 1 + Math.max(0, ...incident.timeline.map((one) => one.seq));
  const timeline = [...incident.timeline, { seq, ...entry, deliveries: {} }].slice(-200);
  return { ...incident, timeline, updatedAt: entry.at };
}

async function silence(
  asked: Asked<"silence">,
  turn: Turn,
  { store, clock }: RequestsOptions,
): Promise<IncidentsAnswer> {
  const now = new Date(clock.nowMs()).toISOString();
  const { matchers, until, comment, from = now } = asked;
  if (Date.parse(until) <= Date.parse(from) || Date.parse(until) <= clock.nowMs()) {
    throw new PetrelError("USAGE", `until: ${until} is over, or not after ${from}`);
  }
  const made = { id: newId(), matchers, from, until, by: personOf(turn), comment };
  const { heads } = await store.changeBook((book) => {
    return { ...book, silences: [...withSilence(book.silences, made, clock.nowMs())] };
  });
  const matching = heads.filter(
    (head) => head.state !== "closed" && matchesAll(matchers, head),
  ).length;
  return { kind: "silence", silence: made, matching };
}

async function unsilence(id: string, options: RequestsOptions): Promise<IncidentsAnswer> {
  await options.store.changeBook((book) => {
    const silences = book.silences.filter((one) => one.id !== id);
    if (silences.length < book.silences.length) return { ...book, silences };
    throw new PetrelError("USAGE", `there is no silence "${id}"`, { silence: id });
  });
  return listSilences(options);
}

async function listSilences({ store, maintenance }: RequestsOptions): Promise<IncidentsAnswer> {
  const book: Book = await store.book();
  return {
    kind: "silences",
    silences: book.silences,
    maintenance: maintenance.slice(0, 100).map(maintenanceWords),
  };
}

async function redeliver(
  { incident, sink }: Asked<"redeliver">,
  { deadlineMs, signal }: Turn,
  { store, teller }: RequestsOptions,
): Promise<IncidentsAnswer> {
  const record = await recordOf(incident, store);
  const all = deadOf(record, sink);
  const dead = all.slice(0, REDELIVERED_MAX);
  const outcomes = await teller.redeliver(record.id, dead, deadlineMs - ANSWER_MS, signal);
  return { kind: "redelivered", incident: record.id, outcomes, isCut: dead.length < all.length };
}

function personOf({ caller, onBehalf }: Turn): string {
  return (onBehalf === undefined ? caller : `${onBehalf} by ${caller}`).slice(0, 200);
}
