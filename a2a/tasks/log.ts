/**
 * The logs of an agent's tasks: one stream, one subject a task, and nothing else is the truth about a
 * task. A record is stored only if it names the one before it, so of two replicas that both think they
 * run a task one is refused: that is the fence, and there is no other lock.
 */
import {
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  type OrderedConsumerOptions,
  RetentionPolicy,
  StorageType,
} from "@nats-io/jetstream";
import { type MsgHdrs, headers as makeHeaders, type NatsConnection } from "@nats-io/nats-core";
import { z } from "zod";
import {
  asPetrelError,
  type Clock,
  isSubjectToken,
  type Logger,
  PetrelError,
} from "../../core/mod.ts";
import { TASK_LOG_SUBJECTS, taskSubject, taskSubjects } from "../subjects.ts";
import {
  RECORD_HEADER,
  type RecordHead,
  readEntries,
  readHead,
  recordBody,
  recordHeaders,
  type StoredRecord,
} from "./record.ts";

export const TASK_LOG_STREAM = "A2A_TASK_LOG";

/** Whose task, and which: the place of its log. */
export interface TaskPlace {
  readonly owner: string;
  readonly taskId: string;
}

/** A task as its last record's headers show it. */
export interface TaskHead extends RecordHead {
  readonly taskId: string;
  readonly seq: number;
}

/** A message on a task's subject, whoever published it. */
interface StoredMessage {
  readonly seq: number;
  readonly headers: MsgHdrs;
  readonly body: string;
}

export interface TaskLogOptions {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly agent: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Default {@link FOLLOWERS_MAX}. */
  readonly followersMax?: number;
}

const NANOS_PER_MS = 1e6;
const ASK_TIMEOUT_MS = 5_000;
const READ_TIMEOUT_MS = 30_000;
/** A consumer whose reader is gone is removed by the server after this long. */
const CONSUMER_IDLE_MS = 30_000;
/** However a follower's consumer fares, it looks for itself this often whether it missed something. */
const LOOK_EVERY_MS = 5_000;
const REOPEN_AFTER_MS = 250;
const RETRY_AFTER_MS = 5_000;
/** Tasks of other replicas that one replica follows at a time; each is a consumer on the server. */
export const FOLLOWERS_MAX = 256;
/** Tasks of one owner that are looked through to list them. */
export const LISTED_MAX = 100_000;
const WRONG_LAST_SEQUENCE = 10_071;
const EXPECTED_SEQ = "Nats-Expected-Last-Subject-Sequence";

const Ack = z.object({
  seq: z.number().optional(),
  error: z
    .object({ err_code: z.number().optional(), description: z.string().optional() })
    .optional(),
});

/** Makes the stream where it is not there. Throws what JetStream says. */
export async function ensureTaskLog(jsm: JetStreamManager, ttlMs: number): Promise<void> {
  try {
    await jsm.streams.info(TASK_LOG_STREAM);
  } catch (error) {
    const { StreamNotFound } = JetStreamApiCodes;
    if (!(error instanceof JetStreamApiError && error.code === StreamNotFound)) throw error;
    await jsm.streams.add({
      name: TASK_LOG_STREAM,
      subjects: [TASK_LOG_SUBJECTS],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      max_age: ttlMs * NANOS_PER_MS,
      allow_direct: true,
    });
  }
}

export class TaskLog {
  readonly #options: TaskLogOptions;
  readonly #reopen = new Set<() => void>();
  readonly #closed = new AbortController();
  #followers = 0;

  constructor(options: TaskLogOptions) {
    this.#options = options;
    void this.#noteReconnects();
  }

  /**
   * Stores a record behind the one with sequence `expectedSeq` (0: the task's first) and resolves with its
   * own. Throws CONFLICT when another record stands there; UNAVAILABLE when it is not known whether it is
   * stored: asking again with the same arguments finds out.
   */
  async append(
    place: TaskPlace,
    head: RecordHead,
    entries: readonly string[],
    expectedSeq: number,
  ): Promise<number> {
    const { nc, agent } = this.#options;
    const headers = recordHeaders(head, { [EXPECTED_SEQ]: String(expectedSeq) });
    const subject = taskSubject(agent, place.owner, place.taskId);
    let ack: z.infer<typeof Ack>;
    try {
      const asked = nc.request(subject, recordBody(entries), { headers, timeout: ASK_TIMEOUT_MS });
      const message = await this.#unlessReconnected(asked);
      ack = Ack.parse(JSON.parse(message.string()));
    } catch (error) {
      throw new PetrelError("UNAVAILABLE", "the task's log cannot be written now", {}, error);
    }
    if (ack.seq !== undefined && !ack.error) return ack.seq;
    if (ack.error?.err_code !== WRONG_LAST_SEQUENCE) {
      const said = ack.error?.description?.slice(0, 200) ?? "no acknowledgement";
      throw new PetrelError("UNAVAILABLE", `the task's log cannot be written now: ${said}`);
    }
    const last = await this.#getLast(place);
    const there = last && headOf(last, place);
    // An attempt whose acknowledgement was lost may be what stands there.
    if (last && there && isSame(there, head)) return last.seq;
    // What is no record was published by somebody who may not: it is passed over, by readers too.
    if (last && !there && last.seq > expectedSeq) {
      let real: StoredRecord | undefined;
      for await (const record of this.read(place, expectedSeq, last.seq)) real = record;
      if (!real) return this.append(place, head, entries, last.seq);
      if (isSame(real, head)) return last.seq;
    }
    throw new PetrelError("CONFLICT", "another replica wrote to the task's log", {
      taskId: place.taskId,
    });
  }

  /** Lets go of the connection, which is its owner's. */
  close(): void {
    this.#closed.abort();
  }

  /** The last record of a task; undefined where there is none. Throws UNAVAILABLE. */
  async last(place: TaskPlace): Promise<StoredRecord | undefined> {
    const found = await this.#getLast(place);
    if (!found) return undefined;
    if (headOf(found, place)) return readRecord(found, place);
    let last: StoredRecord | undefined;
    for await (const record of this.read(place, 0, found.seq)) last = record;
    // Whoever writes next has to name what stands last, whatever it is.
    return last && { ...last, seq: found.seq };
  }

  /** The records of a task with sequences above `afterSeq`, up to `untilSeq`, in order. */
  async *read(
    place: TaskPlace,
    afterSeq: number,
    untilSeq: number,
  ): AsyncGenerator<StoredRecord, void, undefined> {
    if (afterSeq >= untilSeq) return;
    const late = AbortSignal.timeout(READ_TIMEOUT_MS);
    for await (const message of this.#stored(place, afterSeq, late)) {
      if (message.seq <= untilSeq && headOf(message, place)) yield readRecord(message, place);
      if (message.seq >= untilSeq) return;
    }
    throw new PetrelError("DEADLINE_EXCEEDED", "the task's log was not read in time", {
      taskId: place.taskId,
    });
  }

  /**
   * Every record with a sequence above `afterSeq`, each once, in order, as they are stored, until
   * `signal` aborts. Survives the server. Throws OVERLOADED beyond {@link FOLLOWERS_MAX}.
   */
  async *follow(
    place: TaskPlace,
    afterSeq: number,
    signal: AbortSignal,
  ): AsyncGenerator<StoredRecord, void, undefined> {
    const { followersMax = FOLLOWERS_MAX } = this.#options;
    if (this.#followers >= followersMax) {
      throw new PetrelError("OVERLOADED", `this replica already follows ${followersMax} tasks`, {
        limit: followersMax,
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    this.#followers++;
    let seq = afterSeq;
    try {
      while (!signal.aborted) {
        try {
          for await (const record of this.#attached(place, seq, signal)) {
            seq = record.seq;
            yield record;
          }
        } catch (error) {
          if (error instanceof PetrelError && error.code === "PROTOCOL_VIOLATION") throw error;
          this.#options.log.warn("task.follow_again", { taskId: place.taskId, error });
        }
        await this.#options.clock.sleep(REOPEN_AFTER_MS, signal).catch(() => {});
      }
    } finally {
      this.#followers--;
    }
  }

  /** The last head of every task of an owner, in the order in which they were written. Throws TOO_LARGE. */
  async heads(owner: string): Promise<TaskHead[]> {
    const late = AbortSignal.timeout(READ_TIMEOUT_MS);
    const options = {
      filter_subjects: taskSubjects(this.#options.agent, `${owner}.*`),
      deliver_policy: DeliverPolicy.LastPerSubject,
      headers_only: true,
    };
    const found: TaskHead[] = [];
    for await (const message of this.#messages(options, late, "until-now")) {
      const place = { owner, taskId: message.subject.split(".").at(-1) ?? "" };
      const head = headOf(message, place) ?? (await this.last(place));
      if (head) found.push({ ...head, taskId: place.taskId, seq: message.seq });
      if (found.length > LISTED_MAX) {
        throw new PetrelError("TOO_LARGE", `more than ${LISTED_MAX} tasks`, { limit: LISTED_MAX });
      }
    }
    if (late.aborted) throw new PetrelError("DEADLINE_EXCEEDED", "the tasks were not read in time");
    return found;
  }

  /** One consumer's records, until it is told to open another: the server was away, or it fell behind. */
  async *#attached(
    place: TaskPlace,
    afterSeq: number,
    signal: AbortSignal,
  ): AsyncGenerator<StoredRecord, void, undefined> {
    const again = new AbortController();
    const reopen = () => again.abort();
    this.#reopen.add(reopen);
    let seq = afterSeq;
    let seen = afterSeq;
    const look = async () => {
      const before = seq;
      const last = await this.#getLast(place).catch(() => undefined);
      // Nothing came since, and there is more than we know: this consumer is deaf.
      if (last && seq === before && last.seq > seq && seen === seq) reopen();
    };
    const looking = setInterval(() => void look(), LOOK_EVERY_MS);
    try {
      const until = AbortSignal.any([signal, again.signal]);
      for await (const message of this.#stored(place, afterSeq, until)) {
        seen = message.seq;
        if (headOf(message, place)) yield readRecord(message, place);
        seq = message.seq;
      }
    } finally {
      clearInterval(looking);
      this.#reopen.delete(reopen);
    }
  }

  #stored(place: TaskPlace, afterSeq: number, signal: AbortSignal): AsyncGenerator<StoredMessage> {
    const options = {
      filter_subjects: taskSubject(this.#options.agent, place.owner, place.taskId),
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: afterSeq + 1,
    };
    return this.#messages(options, signal, "on-and-on");
  }

  /** What a consumer delivers, until `signal` aborts or, where asked, it has given what there is. */
  async *#messages(
    options: Partial<OrderedConsumerOptions>,
    signal: AbortSignal,
    mode: "until-now" | "on-and-on",
  ): AsyncGenerator<StoredMessage & { readonly subject: string }, void, undefined> {
    const { js } = this.#options;
    const inactive = { inactive_threshold: CONSUMER_IDLE_MS };
    const consumer = await js.consumers
      .get(TASK_LOG_STREAM, { ...options, ...inactive })
      .catch((error: unknown) => {
        throw asPetrelError(error, "UNAVAILABLE", "the log of tasks");
      });
    try {
      if (mode === "until-now" && (await consumer.info()).num_pending === 0) return;
      const messages = await consumer.consume({ max_messages: 256 });
      const stop = () => void messages.close();
      signal.addEventListener("abort", stop, { once: true });
      try {
        if (signal.aborted) return;
        for await (const message of messages) {
          const { subject, seq } = message;
          yield { subject, seq, headers: message.headers ?? makeHeaders(), body: message.string() };
          if (mode === "until-now" && message.info.pending === 0) return;
        }
      } finally {
        signal.removeEventListener("abort", stop);
        await messages.close();
      }
    } finally {
      await consumer.delete().catch(() => false);
    }
  }

  async #getLast(place: TaskPlace): Promise<StoredMessage | undefined> {
    if (!isSubjectToken(place.taskId)) return undefined;
    const { nc, agent } = this.#options;
    const subject = `$JS.API.DIRECT.GET.${TASK_LOG_STREAM}.${taskSubject(agent, place.owner, place.taskId)}`;
    try {
      const message = await nc.request(subject, "", { timeout: ASK_TIMEOUT_MS });
      const { headers } = message;
      if (headers?.code === 404) return undefined;
      const seq = Number(headers?.get("Nats-Sequence"));
      if (!headers || headers.code !== 0 || !(seq > 0)) {
        throw new Error(`status ${headers?.code}: ${headers?.description}`);
      }
      return { headers, seq, body: message.string() };
    } catch (error) {
      throw new PetrelError("UNAVAILABLE", "the task's log cannot be read now", {}, error);
    }
  }

  /** What was asked of a connection that broke is never answered: better ask again at once. */
  async #unlessReconnected<T>(asked: Promise<T>): Promise<T> {
    const { promise: broken, reject } = Promise.withResolvers<never>();
    const onReconnect = () => reject(new Error("the connection was lost"));
    this.#reopen.add(onReconnect);
    try {
      return await Promise.race([asked, broken]);
    } finally {
      this.#reopen.delete(onReconnect);
      asked.catch(() => {});
    }
  }

  /** A server that was away has forgotten the consumers of those who follow. */
  async #noteReconnects(): Promise<void> {
    for await (const status of this.#options.nc.status()) {
      if (this.#closed.signal.aborted) return;
      if (status.type === "reconnect") for (const reopen of this.#reopen) reopen();
    }
  }
}

function isSame(a: RecordHead, b: RecordHead): boolean {
  const isWriters = a.owner === b.owner && a.writer === b.writer;
  return isWriters && a.first === b.first && a.last === b.last && a.state === b.state;
}

/** The head of what is a record; undefined for a message that no agent of ours made. */
function headOf({ headers, seq }: StoredMessage, { taskId }: TaskPlace): RecordHead | undefined {
  if (!headers.has(RECORD_HEADER.owner)) return undefined;
  return readHead(headers, `${taskId} at ${seq}`);
}

function readRecord(message: StoredMessage, { taskId }: TaskPlace): StoredRecord {
  const { headers, seq, body } = message;
  const place = `${taskId} at ${seq}`;
  return { ...readHead(headers, place), seq, entries: readEntries(body, place) };
}
