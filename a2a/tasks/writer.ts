/**
 * The one who writes a task's log: this replica, while it runs the task. Events that come while a record
 * is on its way go into the next one together. What is not stored is told to nobody; what is stored is
 * told to everybody, in order. A writer that finds another's record in its place stops for good.
 */
import { type StreamResponse, TaskState, taskStateToJSON } from "@a2a-js/sdk";
import { type Clock, isRetryable, type Logger, PetrelError } from "../../core/mod.ts";
import { apply, emptyFold, type Folded, isAtRest, isTerminal } from "./fold.ts";
import type { TaskLog, TaskPlace } from "./log.ts";
import type { OpenTasks } from "./open.ts";
import { ANSWERED_BY_MESSAGE, type Entry, entryJson, eventJson, type TurnEntry } from "./record.ts";

export interface NumberedEvent {
  readonly event: number;
  readonly response: StreamResponse;
}

/** Told of each event once it is stored, before anybody else. `json` is the StreamResponse. */
export type EventListener = (taskId: string, event: number, json: string, turn: TurnEntry) => void;

export interface WriterOptions {
  readonly log: TaskLog;
  readonly open: OpenTasks;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly instance: string;
  readonly place: TaskPlace;
  readonly contextId: string;
  readonly onStored: EventListener;
  /** Where the log stands, of a task that was there before. */
  readonly from?: { readonly seq: number; readonly folded: Folded };
}

interface Pending {
  readonly entry: Entry;
  readonly json: string;
}

/** One record holds at most so much. */
const RECORD_ENTRIES_MAX = 512;
const RECORD_BYTES_MAX = 256 * 1024;
/** One event at most: with its headers it fits into the server's smallest payload, 1 MiB. */
const ENTRY_BYTES_MAX = 990 * 1024;
/** An agent that is faster than the log waits when so much of it is not stored. */
const PENDING_BYTES_MAX = 1024 * 1024;
/** Stored events kept for watchers; who is further behind reads the log. */
const KEPT_EVENTS_MAX = 1_024;
/** A snapshot each so many records. */
const SNAPSHOT_EVERY_RECORDS = 64;
/** A log of so many records keeps its last snapshot. */
const LONG_LOG_RECORDS = 8;
/** Storing is tried this long; then the task is left to its supervisor. */
const STORE_TRIES_MS = 120_000;
const STORE_TRIES_LEAVING_MS = 3_000;
const RETRY_FIRST_MS = 50;
const RETRY_MS_MAX = 2_000;

/** Counts the writers of this process. */
let writers = 0;

export class TaskWriter {
  readonly place: TaskPlace;
  /** The turn's signal: cancelled by its caller, by shutdown, or because another replica took over. */
  readonly abort = new AbortController();
  readonly #options: WriterOptions;
  readonly #number = ++writers;
  readonly #folded: Folded;
  readonly #kept: NumberedEvent[] = [];
  readonly #changed = new Set<() => void>();
  #pending: Pending[] = [];
  #pendingBytes = 0;
  #seq: number;
  #records = 0;
  #flushing: Promise<void> | undefined;
  #isOpen = false;
  #openRevision: number | undefined;
  #snapshot: Promise<void> | undefined;
  #isOver = false;
  #isScheduled = false;
  #storeTriesMs = STORE_TRIES_MS;
  #lost: PetrelError | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.place = options.place;
    this.#folded = options.from?.folded ?? emptyFold();
    this.#seq = options.from?.seq ?? 0;
    this.#records = this.#seq > 0 ? LONG_LOG_RECORDS : 0;
  }

  /** The task as it is stored. Later events change it. */
  get folded(): Folded {
    return this.#folded;
  }

  /** Sequence of the last record. */
  get seq(): number {
    return this.#seq;
  }

  /** Why this writer writes no more: another replica does, or the log cannot be reached. */
  get lost(): PetrelError | undefined {
    return this.#lost;
  }

  /**
   * Adds what happened. It is stored when {@link stored} or the next {@link flush} resolves. Throws
   * TOO_LARGE for what is larger than a record can be.
   */
  push(entry: Entry): void {
    if (this.#lost) return;
    const json = entryJson(entry);
    const bytes = Buffer.byteLength(json);
    if (bytes > ENTRY_BYTES_MAX) {
      const message = `an event of the task has ${bytes} bytes`;
      throw new PetrelError("TOO_LARGE", message, { limit: ENTRY_BYTES_MAX });
    }
    this.#pending.push({ entry, json });
    this.#pendingBytes += json.length;
  }

  /** So much is pushed and not stored, in characters of JSON. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** The turn is over: whoever watches goes on with the log. */
  get isOver(): boolean {
    return this.#isOver || this.#lost !== undefined;
  }

  end(): void {
    this.#isOver = true;
    for (const wake of this.#changed) wake();
  }

  /**
   * Stores what was pushed once this turn of the event loop is over: what an agent does in one go, its end
   * included, becomes one record.
   */
  flushSoon(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      void this.flush();
    });
  }

  /** The process is going: what cannot be stored soon is left to a supervisor. */
  hurry(): void {
    this.#storeTriesMs = STORE_TRIES_LEAVING_MS;
  }

  /** Begins to store what was pushed, if it is not being stored already. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  /** Resolves when all that was pushed is stored. Rejects with {@link lost}. */
  async stored(): Promise<void> {
    while (this.#pending.length > 0 && !this.#lost) await this.flush();
    if (this.#lost) throw this.#lost;
  }

  /** Resolves when there is room for more. Rejects with {@link lost}. */
  async room(): Promise<void> {
    if (this.#pendingBytes > PENDING_BYTES_MAX) await this.stored();
    else this.flushSoon();
    if (this.#lost) throw this.#lost;
  }

  /** Stored events after number `event`, which are still kept; undefined where some are not. */
  after(event: number): readonly NumberedEvent[] | undefined {
    const first = this.#kept[0]?.event ?? this.#folded.event + 1;
    return event + 1 < first ? undefined : this.#kept.slice(event + 1 - first);
  }

  /** Resolves when more was stored, this writer is lost, or `signal` aborts. */
  change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#changed.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      if (signal.aborted) return resolve();
      signal.addEventListener("abort", done, { once: true });
      this.#changed.add(done);
    });
  }

  async #flush(): Promise<void> {
    while (this.#pending.length > 0 && !this.#lost) {
      const taken = this.#take();
      try {
        const seq = await this.#store(taken);
        this.#accept(taken, seq);
      } catch (error) {
        this.#lose(error);
      }
    }
  }

  #take(): Pending[] {
    let bytes = 0;
    let count = 0;
    for (const { json } of this.#pending) {
      if (count > 0 && (bytes + json.length > RECORD_BYTES_MAX || count >= RECORD_ENTRIES_MAX))
        break;
      bytes += json.length;
      count++;
    }
    return this.#pending.slice(0, count);
  }

  /** Stores one record, for as long as it may yet be stored. */
  async #store(taken: readonly Pending[]): Promise<number> {
    const { log, clock, instance, contextId, logger } = this.#options;
    const events = taken.filter(({ entry }) => "event" in entry).length;
    const first = this.#folded.event + 1;
    const { state, at, isOpen } = headOf(taken, this.#folded);
    const last = first + events - 1;
    const writer = this.#number;
    const head = { owner: instance, writer, first, last, state, context: contextId, at };
    const jsons = taken.map(({ json }) => json);
    const startedMs = clock.nowMs();
    for (let attempt = 0; ; attempt++) {
      try {
        // The entry leaves first: a task nobody watches over must not be in the log.
        const noted = isOpen && !this.#isOpen ? this.#note() : undefined;
        const [seq] = await Promise.all([log.append(this.place, head, jsons, this.#seq), noted]);
        return seq;
      } catch (error) {
        const isLate = clock.nowMs() - startedMs >= this.#storeTriesMs;
        if (!isRetryable(error) || isConflict(error) || isLate) throw error;
        logger.warn("task.not_stored_yet", { taskId: this.place.taskId, attempt, error });
        await clock.sleep(Math.min(RETRY_MS_MAX, RETRY_FIRST_MS * 2 ** attempt));
      }
    }
  }

  async #note(): Promise<void> {
    const { open, from } = this.#options;
    try {
      this.#openRevision = from
        ? await open.put(this.place, this.#seq, this.#folded, true)
        : await open.claim(this.place);
      this.#isOpen = true;
    } catch (error) {
      throw new PetrelError("UNAVAILABLE", "open tasks cannot be written now", {}, error);
    }
  }

  #accept(taken: readonly Pending[], seq: number): void {
    this.#seq = seq;
    this.#records++;
    this.#pending.splice(0, taken.length);
    for (const { entry, json } of taken) {
      this.#pendingBytes -= json.length;
      apply(this.#folded, entry);
      if (!("event" in entry)) continue;
      const { event, turn } = this.#folded;
      const isOfTask = entry.event.payload?.$case !== "message";
      if (turn && isOfTask) this.#options.onStored(this.place.taskId, event, eventJson(json), turn);
      this.#kept.push({ event, response: entry.event });
    }
    if (this.#kept.length > KEPT_EVENTS_MAX)
      this.#kept.splice(0, this.#kept.length - KEPT_EVENTS_MAX);
    this.#tidy();
    for (const wake of this.#changed) wake();
  }

  /** Keeps the entry of open tasks true. Nobody waits for it: a supervisor looks into the log. */
  #tidy(): void {
    const { open, logger } = this.#options;
    const { task } = this.#folded;
    const taskId = this.place.taskId;
    const failed = (error: unknown) => logger.warn("task.not_noted", { taskId, error });
    if (!task || isAtRest(task)) {
      const isKept = task && isTerminal(task) && this.#records >= LONG_LOG_RECORDS;
      if (isKept) void open.put(this.place, this.#seq, this.#folded, false).catch(failed);
      else if (this.#isOpen) void this.#close().catch(failed);
      this.#isOpen = false;
    } else if (this.#records % SNAPSHOT_EVERY_RECORDS === 0) {
      this.#snapshot = this.#keep().catch(failed);
    }
  }

  async #keep(): Promise<void> {
    const { open } = this.#options;
    this.#openRevision = await open.put(this.place, this.#seq, this.#folded, true);
  }

  /** Removes our entry, and no later one. One that stood there before us is left to a supervisor. */
  async #close(): Promise<void> {
    await this.#snapshot;
    if (this.#openRevision === undefined) return;
    await this.#options.open.remove(this.place, this.#openRevision);
  }

  #lose(error: unknown): void {
    this.#lost =
      error instanceof PetrelError
        ? error
        : new PetrelError("INTERNAL", "the task's log was not written", {}, error);
    this.#pending = [];
    this.#pendingBytes = 0;
    const { logger, from } = this.#options;
    const { taskId } = this.place;
    // The same message again is the caller's right; a replica that took over is news.
    const isKnown = isConflict(error) && !from && this.#seq === 0;
    if (isKnown) logger.debug("task.begun_before", { taskId });
    else logger.warn("task.lost", { taskId, error });
    this.abort.abort(this.#lost);
    for (const wake of this.#changed) wake();
  }
}

export function isConflict(error: unknown): boolean {
  return error instanceof PetrelError && error.code === "CONFLICT";
}

/** What the headers of a record say of the task after it. */
function headOf(
  taken: readonly Pending[],
  folded: Folded,
): { state: string; at: string; isOpen: boolean } {
  let status = folded.task?.status;
  for (const { entry } of taken) {
    if (!("event" in entry)) continue;
    const { payload } = entry.event;
    if (payload?.$case === "message") return { state: ANSWERED_BY_MESSAGE, at: "", isOpen: false };
    if (payload?.$case === "task" || payload?.$case === "statusUpdate")
      status = payload.value.status;
  }
  const state = status?.state ?? TaskState.TASK_STATE_UNSPECIFIED;
  const isOpen = !isAtRest({ status });
  return { state: taskStateToJSON(state), at: status?.timestamp ?? "", isOpen };
}
