/**
 * A task for an auditor, who knows its agent and its id and not whose it is: read from the agent's logs by
 * the id alone, and folded up to any of its events. It asks no agent, writes nothing, and looks at no
 * snapshot: the log is the truth.
 */
import type { Task } from "@a2a-js/sdk";
import { DeliverPolicy, type JetStreamClient } from "@nats-io/jetstream";
import { asPetrelError, isSubjectToken, PetrelError } from "../../core/mod.ts";
import { taskSubject } from "../subjects.ts";
import { apply, emptyFold } from "./fold.ts";
import { TASK_LOG_STREAM } from "./log.ts";
import { type Entry, readEntries, readHead, type StoredRecord } from "./record.ts";

/** A log of more is not read: whoever looks holds it in memory. */
const FOUND_BYTES_MAX = 128 * 1024 * 1024;
const FIND_TIMEOUT_MS = 30_000;
/** A consumer whose reader died is removed by the server after this long. */
const CONSUMER_IDLE_MS = 30_000;
/** Records asked for at a time; one has at most a quarter of a MiB and the agent's largest event. */
const RECORDS_AT_ONCE = 32;

export interface FindOptions {
  readonly js: JetStreamClient;
  readonly agent: string;
  readonly taskId: string;
  /** How long it may take, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number | undefined;
  /** How long the log may be, in bytes. Default 128 MiB. */
  readonly bytesMax?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A task as its log had it when it was read. */
export interface FoundTask {
  readonly taskId: string;
  /** Whose it is: the caller's name, with `=` and a hash where the caller asked for somebody. */
  readonly owner: string;
  /** The replica that wrote the last record, and runs the task if it still runs. */
  readonly instance: string;
  /** Number of the last event; events are numbered from 1, without holes. */
  readonly lastEvent: number;
  /** After the last event; undefined where the answer was a message, and where nothing was told yet. */
  readonly task: Task | undefined;
  /**
   * The task after event `event`, made anew. A part that was moved into the object store stands as it was
   * told, as in the audit. Throws USAGE for a number that is none of its events.
   */
  at(event: number): Task | undefined;
}

/** A record, and whose task it is: the subject says. Its own `owner` is the replica that wrote it. */
interface Placed {
  readonly taskOwner: string;
  readonly record: StoredRecord;
}

/**
 * Reads the log of a task from its beginning to what was its end when asked. Undefined where there is
 * none (any more), or the beginning has expired. Throws PROTOCOL_VIOLATION for a log that is broken or
 * an id with two owners, TOO_LARGE, DEADLINE_EXCEEDED, UNAVAILABLE, or
 * the signal's reason.
 */
export async function findTask(options: FindOptions): Promise<FoundTask | undefined> {
  const { agent, taskId } = options;
  if (!isSubjectToken(agent) || !isSubjectToken(taskId)) return undefined;
  const records = await readAll(options);
  const [first] = records;
  const last = records.at(-1);
  // A log begins with event 1, or with the turn before it. Another beginning is what expiry left of it.
  if (!first || !last || first.record.first > 1) return undefined;
  const lastEvent = lastEventOf(taskId, first.taskOwner, records);
  const entries = records.flatMap(({ record }) => record.entries);
  const at = (event: number) => taskAt(entries, event, lastEvent);
  const { owner: instance } = last.record;
  return { taskId, owner: first.taskOwner, instance, lastEvent, task: at(lastEvent), at };
}

/** Counts the events, which have to be one owner's and as the records' headers say. */
function lastEventOf(taskId: string, owner: string, records: readonly Placed[]): number {
  let event = 0;
  for (const { taskOwner, record } of records) {
    const { seq, first, last, entries } = record;
    if (taskOwner !== owner) throw violation(taskId, seq, "it is of another owner");
    const events = entries.filter((entry) => "event" in entry).length;
    if (first !== event + 1 || last !== event + events) {
      throw violation(taskId, seq, `its events do not go on from number ${event}`);
    }
    event = last;
  }
  return event;
}

/** The events up to `event` alone: what else a log holds says where things lie, not what was told. */
function taskAt(entries: readonly Entry[], event: number, last: number): Task | undefined {
  if (!Number.isInteger(event) || event < 0 || event > last) {
    throw new PetrelError("USAGE", `event ${event}: the task has events 1 to ${last}`, {
      path: "event",
    });
  }
  const folded = emptyFold();
  for (const entry of entries) {
    if (folded.event === event) break;
    if ("event" in entry) apply(folded, entry);
  }
  return folded.task;
}

/** The records that are there now, in order. */
async function readAll(options: FindOptions): Promise<Placed[]> {
  const { signal, timeoutMs = FIND_TIMEOUT_MS, taskId } = options;
  signal?.throwIfAborted();
  const late = AbortSignal.timeout(timeoutMs);
  const until = signal ? AbortSignal.any([signal, late]) : late;
  const records: Placed[] = [];
  try {
    await read(options, until, records);
  } catch (error) {
    signal?.throwIfAborted();
    throw asPetrelError(error, "UNAVAILABLE", "the log of tasks");
  }
  signal?.throwIfAborted();
  if (!late.aborted) return records;
  throw new PetrelError("DEADLINE_EXCEEDED", "the task's log was not read in time", { taskId });
}

async function read(options: FindOptions, until: AbortSignal, records: Placed[]): Promise<void> {
  const { js, agent, taskId, bytesMax = FOUND_BYTES_MAX } = options;
  const consumer = await js.consumers.get(TASK_LOG_STREAM, {
    // Whose it is, is what we do not know.
    filter_subjects: taskSubject(agent, "*", taskId),
    deliver_policy: DeliverPolicy.All,
    inactive_threshold: CONSUMER_IDLE_MS,
  });
  try {
    let left = (await consumer.info(true)).num_pending;
    if (left === 0 || until.aborted) return;
    const messages = await consumer.consume({ max_messages: RECORDS_AT_ONCE });
    const stop = () => void messages.close();
    until.addEventListener("abort", stop, { once: true });
    try {
      let bytes = 0;
      for await (const { subject, seq, headers, data, info } of messages) {
        bytes += data.length;
        if (bytes > bytesMax) throw tooLarge(taskId, bytesMax);
        const place = `${taskId} at ${seq}`;
        const entries = readEntries(Buffer.from(data).toString(), place);
        const taskOwner = subject.split(".").at(-2) ?? "";
        records.push({ taskOwner, record: { ...readHead(headers, place), seq, entries } });
        // It may grow while it is read: what was there when we asked is enough.
        if (--left <= 0 || info.pending === 0 || until.aborted) return;
      }
    } finally {
      until.removeEventListener("abort", stop);
      await messages.close();
    }
  } finally {
    await consumer.delete().catch(() => false);
  }
}

function violation(taskId: string, seq: number, what: string): PetrelError {
  const place = `${taskId} at ${seq}`;
  return new PetrelError("PROTOCOL_VIOLATION", `the log of a task: ${place}: ${what}`, { place });
}

function tooLarge(taskId: string, limit: number): PetrelError {
  return new PetrelError("TOO_LARGE", `the log of task ${taskId} has more than ${limit} bytes`, {
    limit,
  });
}
