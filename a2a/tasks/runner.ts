/**
 * The tasks this replica runs: how a turn begins, is found again, is cancelled, and goes on after another
 * replica died. Who runs a task is decided by the log alone: whoever's record was taken.
 */
import { type Message, Message as MessageCodec, type Task } from "@a2a-js/sdk";
import { TaskNotFoundError, UnsupportedOperationError } from "@a2a-js/sdk/errors";
import { type Clock, type Logger, limits, newId, PetrelError } from "../../core/mod.ts";
import type { AgentDefinition } from "../agent.ts";
import { headerKey } from "../call.ts";
import type { ArtifactStore } from "./artifacts.ts";
import { checkContinues } from "./checks.ts";
import { apply, emptyFold, type Folded, isAtRest, isTerminal } from "./fold.ts";
import { type Loaded, loadTask } from "./load.ts";
import type { TaskLog, TaskPlace } from "./log.ts";
import type { OpenTasks } from "./open.ts";
import { entryJson, eventJson, type TurnEntry } from "./record.ts";
import { type TurnOptions, TurnRunner } from "./turn.ts";
import { type EventListener, isConflict, TaskWriter } from "./writer.ts";

export interface RunnerOptions {
  readonly agent: AgentDefinition;
  readonly instance: string;
  readonly log: TaskLog;
  readonly open: OpenTasks;
  readonly artifacts: ArtifactStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly runningMax?: number | undefined;
  readonly onStored: EventListener;
  /** Asks the replica that runs a task to cancel it; false when that replica is gone. */
  readonly cancelElsewhere: (instance: string, place: TaskPlace) => Promise<boolean>;
}

/** A task that runs here. */
export interface Running {
  readonly writer: TaskWriter;
  /** Resolves when the turn is over and stored, or given up. Never rejects. */
  readonly done: Promise<void>;
}

/** A turn that a message began, now or before. */
export interface Begun {
  readonly place: TaskPlace;
  readonly running?: Running | undefined;
  readonly loaded?: Loaded | undefined;
  /** The message had come before: its turn may be anywhere. */
  readonly isKnown?: boolean;
  /** Number of the last event before the turn. */
  readonly from: number;
}

/** A task whose replica died so often is the cause of it. */
const ATTEMPTS_MAX = 3;
/** A task that changed so often while somebody looked is told to be in motion. */
const CHANGES_MAX = 3;
/** Beyond the bound on tasks: when a caller may come back. */
const RETRY_AFTER_MS = 1_000;

export class TaskRunner {
  readonly #options: RunnerOptions;
  readonly #running = new Map<string, Running>();
  #isStopping = false;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  get log(): TaskLog {
    return this.#options.log;
  }

  get open(): OpenTasks {
    return this.#options.open;
  }

  get logger(): Logger {
    return this.#options.logger;
  }

  /** Tasks running here. */
  get size(): number {
    return this.#running.size;
  }

  running(place: TaskPlace): Running | undefined {
    return this.#running.get(keyOf(place));
  }

  /**
   * Begins a task for a message. The same message of the same owner is the same task, on every replica.
   * Throws OVERLOADED or UNAVAILABLE.
   */
  async begin(owner: string, message: Message, entry: TurnEntry): Promise<Begun> {
    const { agent } = this.#options;
    const place = { owner, taskId: taskIdOf(agent.name, owner, message.messageId) };
    const known = this.running(place);
    if (known) return { place, running: known, from: 0 };
    this.#checkRoom();
    const contextId = message.contextId || newId();
    const writer = this.#writer(place, contextId);
    const claim = agent.repeatable ? entry : { ...entry, message: claimed(message, contextId) };
    writer.push({ turn: claim });
    const running = this.#hold(place, writer, async () => {
      // Work that must not be done twice begins when nobody else can begin it.
      if (!agent.repeatable) await writer.stored();
      await this.#run({ writer, message, contextId, entry, before: undefined, mode: "new" });
    });
    if (!agent.repeatable) {
      await writer.stored().catch(() => {});
      if (isConflict(writer.lost)) return { place, from: 0 };
      if (writer.lost) throw writer.lost;
    }
    return { place, running, from: 0 };
  }

  /**
   * Takes a task up again that waits for its caller. A message it has already had begins nothing. Throws
   * TaskNotFound, UnsupportedOperation, RequestMalformed, OVERLOADED or UNAVAILABLE.
   */
  async continueTask(place: TaskPlace, message: Message, entry: TurnEntry): Promise<Begun> {
    for (let attempt = 1; attempt <= CHANGES_MAX; attempt++) {
      const before = this.running(place);
      const loaded = await this.#load(place);
      const known = this.running(place);
      if (known && known !== before) {
        // Somebody took it up while we looked: what we know of it is old.
        await this.shown(known, loaded?.seq ?? 0);
        continue;
      }
      const task = known?.writer.folded.task ?? loaded?.folded.task;
      if (!loaded || !task) throw new TaskNotFoundError(`Task not found: ${place.taskId}`);
      const from = loaded.folded.event;
      const isKnown = task.history.some(({ messageId }) => messageId === message.messageId);
      if (isKnown) return { place, running: known, loaded, from, isKnown };
      checkContinues(task, message);
      if (known || !isAtRest(task)) {
        throw new UnsupportedOperationError(`Task ${task.id} is at work and takes no message now`);
      }
      this.#checkRoom();
      const writer = this.#writer(place, task.contextId, loaded);
      writer.push({ turn: entry });
      const { contextId } = task;
      const running = this.#hold(place, writer, () =>
        this.#run({ writer, message, contextId, entry, before: task, mode: "new" }),
      );
      await this.shown(running, loaded.seq);
      // On conflict somebody was faster: another message, or a cancel.
      if (isConflict(writer.lost)) continue;
      if (writer.lost && writer.seq === loaded.seq) throw writer.lost;
      return { place, running, from };
    }
    throw tooFast(place);
  }

  /** Resolves when a task can be shown that is newer than the record `afterSeq`, or the turn is over. */
  async shown({ writer }: Running, afterSeq = 0): Promise<void> {
    const never = new AbortController().signal;
    const isShown = ({ seq, folded }: TaskWriter) =>
      seq > afterSeq && (folded.task ?? folded.answer) !== undefined;
    while (!writer.isOver && !isShown(writer)) await writer.change(never);
  }

  /**
   * Waits until a task that runs elsewhere is at rest, or (`immediately`) until there is one to show.
   * Throws DEADLINE_EXCEEDED when `signal` aborts first.
   */
  async awaitRest(
    place: TaskPlace,
    immediately: boolean,
    signal: AbortSignal,
  ): Promise<Task | Message> {
    const loaded = await this.#load(place);
    const folded = loaded?.folded ?? emptyFold();
    const result = () => {
      if (folded.answer) return folded.answer;
      const { task } = folded;
      return task && (immediately || isAtRest(task)) ? task : undefined;
    };
    const found = result();
    if (found) return found;
    for await (const record of this.log.follow(place, loaded?.seq ?? 0, signal)) {
      for (const entry of record.entries) apply(folded, entry);
      const reached = result();
      if (reached) return reached;
    }
    throw new PetrelError("DEADLINE_EXCEEDED", "the task did not come to rest in time", {
      taskId: place.taskId,
    });
  }

  /**
   * Cancels a task wherever it runs; one that nobody runs is ended in its log. Throws CONFLICT when it
   * changes too fast, UNAVAILABLE when its log cannot be written.
   */
  async cancel(place: TaskPlace, entry: TurnEntry): Promise<void> {
    if (await this.cancelHere(place)) return;
    for (let attempt = 1; attempt <= CHANGES_MAX; attempt++) {
      const loaded = await this.#load(place);
      const task = loaded?.folded.task;
      if (!loaded || !task || isTerminal(task)) return;
      const isOwned = !isAtRest(task) && loaded.instance !== this.#options.instance;
      if (isOwned && (await this.#options.cancelElsewhere(loaded.instance, place))) return;
      if (isOwned) await this.retell(place, loaded.folded);
      if (await this.end(place, loaded, entry, cancelledError(place))) return;
      if (await this.cancelHere(place)) return;
    }
    throw tooFast(place);
  }

  /** Cancels a task that runs here, and waits for its end; false where it does not run here. */
  async cancelHere(place: TaskPlace): Promise<boolean> {
    const running = this.running(place);
    if (!running) return false;
    running.writer.abort.abort(cancelledError(place));
    await running.done;
    const { lost, folded } = running.writer;
    return lost === undefined && folded.task !== undefined && isTerminal(folded.task);
  }

  /**
   * Ends a task that nobody runs any more as failed, or cancelled where `reason` says so. False when
   * somebody wrote to its log meanwhile. Throws UNAVAILABLE when it cannot be written.
   */
  async end(
    place: TaskPlace,
    loaded: Loaded,
    entry: TurnEntry,
    reason: PetrelError,
  ): Promise<boolean> {
    const message = this.#messageOf(loaded);
    const contextId = loaded.folded.task?.contextId ?? message?.contextId ?? newId();
    const writer = this.#writer(place, contextId, loaded);
    writer.push({ turn: entry });
    const agent: AgentDefinition = { ...this.#options.agent, run: () => Promise.reject(reason) };
    const before = loaded.folded.task;
    const turn = { writer, message: message ?? noMessage(place), contextId, entry, before, agent };
    const running = this.#hold(place, writer, () => this.#run({ ...turn, mode: "end" }));
    await running.done;
    if (writer.lost && !isConflict(writer.lost)) throw writer.lost;
    return writer.lost === undefined;
  }

  /**
   * Goes on with a task whose replica is gone, as the agent declares: runs the turn again, or ends the task.
   * False when somebody else did.
   */
  async takeOver(place: TaskPlace, loaded: Loaded): Promise<boolean> {
    const { agent } = this.#options;
    const { turn, task } = loaded.folded;
    const message = this.#messageOf(loaded);
    if (!turn) return false;
    const attempt = turn.attempt + 1;
    const entry = { ...turn, attempt };
    if (!agent.repeatable || !message || !task || attempt > ATTEMPTS_MAX) {
      const reason = new PetrelError("UNAVAILABLE", "the replica that ran the task is gone");
      return this.end(place, loaded, entry, reason);
    }
    this.#checkRoom();
    const writer = this.#writer(place, task.contextId, loaded);
    writer.push({ turn: entry });
    const { contextId } = task;
    const running = this.#hold(place, writer, () =>
      this.#run({ writer, message, contextId, entry, before: task, mode: "again" }),
    );
    await this.shown(running, loaded.seq);
    return writer.lost === undefined;
  }

  /**
   * Tells the audit of the last record once more: a replica that died between storing and telling has left
   * at most that one untold. Told twice it counts once.
   */
  async retell(place: TaskPlace, { turn }: Folded): Promise<void> {
    const last = await this.log.last(place);
    if (!last) return;
    let event = last.first;
    let by = turn;
    for (const entry of last.entries) {
      if ("turn" in entry) by = entry.turn;
      if (!("event" in entry)) continue;
      const isOfTask = entry.event.payload?.$case !== "message";
      const json = eventJson(entryJson(entry));
      if (by && isOfTask) this.#options.onStored(place.taskId, event, json, by);
      event++;
    }
  }

  /** Takes no more tasks, and ends those that run as failed. */
  async shutdown(): Promise<void> {
    this.#isStopping = true;
    const reason = new PetrelError("UNAVAILABLE", "the agent is shutting down");
    const running = [...this.#running.values()];
    for (const { writer } of running) {
      writer.hurry();
      writer.abort.abort(reason);
    }
    await Promise.all(running.map(({ done }) => done));
  }

  #run(turn: Omit<TurnOptions, "agent" | "artifacts" | "clock" | "log"> & Partial<TurnOptions>) {
    const { agent, artifacts, clock, logger: log } = this.#options;
    return new TurnRunner({ agent, artifacts, clock, log, ...turn }).run();
  }

  /** Counts the task as running until `work` is done. */
  #hold(place: TaskPlace, writer: TaskWriter, work: () => Promise<void>): Running {
    const key = keyOf(place);
    const earlier = this.#running.get(key);
    const done = Promise.try(work)
      .catch((error: unknown) => {
        if (!writer.lost) this.logger.error("task.not_run", { taskId: place.taskId, error });
        writer.end();
      })
      .finally(() => {
        if (this.#running.get(key)?.writer !== writer) return;
        // One that began before and still runs was right: this one was refused by the log.
        if (earlier && !earlier.writer.isOver) this.#running.set(key, earlier);
        else this.#running.delete(key);
      });
    const running = { writer, done };
    this.#running.set(key, running);
    return running;
  }

  #writer(place: TaskPlace, contextId: string, from?: Loaded): TaskWriter {
    const { log, open, clock, logger, instance, onStored } = this.#options;
    return new TaskWriter({
      log,
      open,
      clock,
      logger,
      instance,
      place,
      contextId: headerKey(contextId),
      onStored,
      ...(from ? { from } : {}),
    });
  }

  #checkRoom(): void {
    const { agent, runningMax = limits.TASKS_RUNNING_MAX } = this.#options;
    if (this.#isStopping) throw new PetrelError("UNAVAILABLE", "the agent is shutting down");
    if (this.#running.size < runningMax) return;
    throw new PetrelError("OVERLOADED", `agent "${agent.name}" already runs ${runningMax} tasks`, {
      limit: runningMax,
      retryAfterMs: RETRY_AFTER_MS,
    });
  }

  /** The message of the turn that was not finished. */
  #messageOf({ folded }: Loaded): Message | undefined {
    const claim = folded.turn?.message;
    return folded.task?.history.at(-1) ?? (claim ? MessageCodec.fromJSON(claim) : undefined);
  }

  #load(place: TaskPlace): Promise<Loaded | undefined> {
    return loadTask(this.log, this.open, place);
  }
}

/** A UUID of version 8 (RFC 9562 section 5.8), the same for the same message of the same owner. */
export function taskIdOf(agent: string, owner: string, messageId: string): string {
  const hash = new Bun.CryptoHasher("sha256").update(JSON.stringify([agent, owner, messageId]));
  const hex = hash.digest("hex");
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}

function keyOf({ owner, taskId }: TaskPlace): string {
  return `${owner}.${taskId}`;
}

function claimed(message: Message, contextId: string): unknown {
  return MessageCodec.toJSON({ ...message, contextId });
}

function cancelledError({ taskId }: TaskPlace): PetrelError {
  return new PetrelError("CANCELLED", "cancelled by its caller", { taskId });
}

function tooFast({ taskId }: TaskPlace): PetrelError {
  return new PetrelError("CONFLICT", "the task changes too fast", { taskId });
}

/** Stands for a message that is not known any more. */
function noMessage({ taskId }: TaskPlace): Message {
  return MessageCodec.fromJSON({ messageId: taskId, role: "ROLE_USER", parts: [] });
}
