/**
 * The state of a task at any moment, from the trail alone: a pure fold over its records in the order of
 * the stream.
 *
 * An agent of ours reports every change of a task as an event; those say all, and nothing else is needed.
 * Of a task whose agent reports none, the state is put together from what its callers saw: requests,
 * answers and frames. Both are folded, so that it does not matter which comes first. Bodies are hostile:
 * what cannot be read, or does not fit, is noted and passed over, never thrown.
 */
import { Message, StreamResponse, Task } from "@a2a-js/sdk";
import { messageOf } from "../../core/mod.ts";
import { callOf } from "../records/ids.ts";
import { safeText } from "../records/text.ts";
import { envelopeOf, kindOf, type TrailEntry } from "./entry.ts";
import { type Payload, TaskBuild } from "./task.ts";

/** Which moment. Without either, the end of the trail. */
export interface Moment {
  /** Up to and with this time, by the clock of whoever reported: milliseconds since the epoch. */
  readonly untilMs?: number;
  /** Up to and with this sequence of the stream. */
  readonly seq?: number;
}

/** Something odd about one record. */
export interface Note {
  /** The event's id. */
  readonly at: string;
  readonly text: string;
}

/** What a fold gives, and goes on from. */
export interface TaskState {
  readonly taskId: string;
  /** From what the task is told: its own events, or what its callers saw of it. */
  readonly basis: "events" | "envelopes" | "nothing";
  /** Undefined while nothing is known of it. */
  readonly task: Task | undefined;
  /** Artifacts whose last chunk has not come. */
  readonly openArtifacts: readonly string[];
  /**
   * The agent of the first record, and who asked it. The name is the server's word, so no other agent can
   * speak of this task.
   */
  readonly agent: string | undefined;
  readonly caller: string | undefined;
  /** Number of the last event; events are numbered from 1. */
  readonly lastEvent: number;
  /** Records folded, and the last one's id and time. */
  readonly records: number;
  readonly last: { readonly id: string; readonly atMs: number } | undefined;
  /** The first of what is odd, and how many more there are. */
  readonly notes: readonly Note[];
  readonly notesLeftOut: number;
  /** The fold's own; not to be looked into. */
  readonly inner: Inner;
}

interface Inner {
  readonly events: TaskBuild;
  readonly seen: TaskBuild;
  /** Messages of calls whose answer has yet to say which task they are for. */
  readonly asked: ReadonlyMap<string, Message>;
}

const NOTES_MAX = 100;
const ASKED_MAX = 1_000;

/** Before the first record. */
export function noTask(taskId: string): TaskState {
  return {
    taskId,
    basis: "nothing",
    task: undefined,
    openArtifacts: [],
    agent: undefined,
    caller: undefined,
    lastEvent: 0,
    records: 0,
    last: undefined,
    notes: [],
    notesLeftOut: 0,
    inner: { events: new TaskBuild(), seen: new TaskBuild(), asked: new Map() },
  };
}

/**
 * Folds records, in the order of the stream, into the state of a task; those of other tasks are passed
 * over. `from` is a task's id, or the state of the records before these, which stays as it is:
 * `foldTask(rest, foldTask(first, id))` is `foldTask([...first, ...rest], id)`. Never throws.
 */
export function foldTask(
  entries: Iterable<TrailEntry>,
  from: TaskState | string,
  moment: Moment = {},
): TaskState {
  const fold = new Fold(typeof from === "string" ? noTask(from) : from);
  for (const entry of entries) if (isBy(entry, moment)) fold.take(entry);
  return fold.state;
}

/** Whether a record had been reported by that moment. */
export function isBy({ event, seq }: TrailEntry, moment: Moment): boolean {
  return event.timeMs <= (moment.untilMs ?? Infinity) && seq <= (moment.seq ?? Infinity);
}

type Json = Readonly<Record<string, unknown>>;

class Fold {
  readonly #from: TaskState;
  readonly #id: string;
  readonly #events: TaskBuild;
  readonly #seen: TaskBuild;
  readonly #asked: Map<string, Message>;
  readonly #notes: Note[];
  #notesLeftOut: number;
  #agent: string | undefined;
  #caller: string | undefined;
  #lastEvent: number;
  #records: number;
  #last: TaskState["last"];

  constructor(from: TaskState) {
    const { inner } = from;
    this.#from = from;
    this.#id = safeText(from.taskId);
    this.#events = inner.events.copy();
    this.#seen = inner.seen.copy();
    this.#asked = new Map(inner.asked);
    this.#notes = [...from.notes];
    this.#notesLeftOut = from.notesLeftOut;
    this.#agent = from.agent;
    this.#caller = from.caller;
    this.#lastEvent = from.lastEvent;
    this.#records = from.records;
    this.#last = from.last;
  }

  get state(): TaskState {
    const { taskId } = this.#from;
    const isTold = this.#events.task !== undefined;
    const build = isTold ? this.#events : this.#seen;
    const seen = this.#seen.task ? "envelopes" : "nothing";
    // The state is handed out; what the fold goes on from is not.
    const { task, open } = build.copy();
    return {
      taskId,
      basis: isTold ? "events" : seen,
      task,
      openArtifacts: [...open],
      agent: this.#agent,
      caller: this.#caller,
      lastEvent: this.#lastEvent,
      records: this.#records,
      last: this.#last,
      notes: this.#notes,
      notesLeftOut: this.#notesLeftOut,
      inner: { events: this.#events, seen: this.#seen, asked: this.#asked },
    };
  }

  take(entry: TrailEntry): void {
    const kind = kindOf(entry);
    if (kind === "alarm" || kind === "notice" || !this.#concerns(entry)) return;
    const { agent } = entry.event.extensions;
    if (this.#isOurs(entry) && this.#agent !== undefined && agent !== this.#agent)
      return this.#note(entry, `of agent ${agent}, which does not run this task: passed over`);
    try {
      const body = bodyOf(entry);
      if (kind === "task") this.#takeEvent(entry, body);
      else if (kind === "request") this.#takeRequest(entry, body);
      else this.#takeAnswer(entry, body);
    } catch (error) {
      if (this.#isOurs(entry)) this.#note(entry, `passed over: ${messageOf(error, 200)}`);
    }
  }

  /** Ours, or of a call that may turn out to be. */
  #concerns(entry: TrailEntry): boolean {
    const { taskid } = entry.event.extensions;
    if (taskid !== undefined) return taskid === this.#id;
    return kindOf(entry) === "request" || this.#asked.has(callOf(envelopeOf(entry) ?? ""));
  }

  #isOurs({ event }: TrailEntry): boolean {
    return event.extensions.taskid === this.#id;
  }

  #takeEvent(entry: TrailEntry, body: Json): void {
    const n = numberOf(envelopeOf(entry) ?? "");
    if (n > 0 && n <= this.#lastEvent)
      return this.#note(entry, `event ${n} after event ${this.#lastEvent}: passed over`);
    const payload = payloadOf(body);
    if (!payload) throw new Error("the body is no event of a task");
    const missing = n - this.#lastEvent - 1;
    if (missing > 0)
      this.#note(entry, `${missing} events before event ${n} are missing: the state may be older`);
    if (n > 0) this.#lastEvent = n;
    this.#counted(entry);
    this.#say(entry, this.#events.apply(payload));
  }

  #takeRequest(entry: TrailEntry, body: Json): void {
    if (this.#isOurs(entry)) this.#counted(entry);
    const message = member(member(body, "params"), "message");
    if (message === undefined) return;
    const sent = Message.fromJSON(message);
    if (this.#isOurs(entry)) this.#seen.addMessage(sent);
    else if (sent.taskId === "") this.#remember(callOf(envelopeOf(entry) ?? ""), sent);
  }

  #takeAnswer(entry: TrailEntry, body: Json): void {
    if (!this.#isOurs(entry)) return;
    const result = member(body, "result");
    this.#counted(entry);
    if (!isJson(result)) return;
    const payload = payloadOf(result);
    const call = callOf(envelopeOf(entry) ?? "");
    const asked = this.#asked.get(call);
    if (!payload) this.#say(entry, this.#seen.replace(Task.fromJSON(result), true));
    else if (payload.$case === "task") this.#say(entry, this.#seen.replace(payload.value, true));
    else this.#say(entry, this.#seen.apply(payload));
    this.#asked.delete(call);
    if (asked) this.#askedFirst(asked);
  }

  /** The message that began the task stands first, unless the agent's own history has it. */
  #askedFirst(message: Message): void {
    const { task } = this.#seen;
    if (!task || task.history.some(({ messageId }) => messageId === message.messageId)) return;
    const { id: taskId, contextId } = task;
    task.history.unshift({ ...message, taskId, contextId: message.contextId || contextId });
  }

  #remember(call: string, message: Message): void {
    this.#asked.set(call, message);
    if (this.#asked.size <= ASKED_MAX) return;
    for (const oldest of this.#asked.keys().take(1)) this.#asked.delete(oldest);
  }

  #counted({ event }: TrailEntry): void {
    this.#agent ??= event.extensions.agent;
    this.#caller ??= event.extensions.caller;
    this.#records++;
    this.#last = { id: event.id, atMs: event.timeMs };
  }

  #say(entry: TrailEntry, problem: string | undefined): void {
    if (problem !== undefined) this.#note(entry, problem);
  }

  #note({ event }: TrailEntry, text: string): void {
    if (this.#notes.length < NOTES_MAX) this.#notes.push({ at: event.id, text });
    else this.#notesLeftOut++;
  }
}

/** The parsed body. Throws an error that says what it is instead of an object. */
function bodyOf({ event: { data, extensions } }: TrailEntry): Json {
  if (data === undefined && extensions.dataref !== undefined)
    throw new Error(`the body lies at ${extensions.dataref} and was not read`);
  const json: unknown = data === undefined ? undefined : JSON.parse(data);
  if (!isJson(json)) throw new Error("the body is no JSON object");
  return json;
}

/** The event in a stream's item; undefined when there is none. */
function payloadOf(item: Json): Payload | undefined {
  const within = member(item, "result");
  return StreamResponse.fromJSON(isJson(within) ? within : item).payload;
}

/** `<taskId>.e<n>`; 0 for anything else, and for an end that nobody can have counted. */
function numberOf(envelopeId: string): number {
  return Number(/\.e(\d{1,15})$/.exec(envelopeId)?.[1] ?? 0);
}

function member(value: unknown, name: string): unknown {
  return isJson(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
