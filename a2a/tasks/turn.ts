/**
 * One turn of a task, as the agent's code sees it and as it goes into the log: what the agent tells
 * becomes events, what it returns or throws becomes the state the turn ends in.
 */
import {
  type Message,
  Part as PartCodec,
  type StreamResponse,
  type Task,
  TaskState,
  type TaskStatus,
} from "@a2a-js/sdk";
import {
  type Clock,
  isSubjectToken,
  type Logger,
  limits,
  messageOf,
  newTrace,
  PetrelError,
  parseTraceparent,
  unlessAborted,
} from "../../core/mod.ts";
import type { AgentDefinition, Part, Turn, TurnResult } from "../agent.ts";
import type { ArtifactStore } from "./artifacts.ts";
import { snapshotOf } from "./fold.ts";
import { agentMessage, dataPart, firstData, firstText, textPart, weightOf } from "./parts.ts";
import type { TurnEntry } from "./record.ts";
import { isConflict, type TaskWriter } from "./writer.ts";

export interface TurnOptions {
  readonly agent: AgentDefinition;
  readonly artifacts: ArtifactStore;
  readonly clock: Clock;
  readonly log: Logger;
  readonly writer: TaskWriter;
  readonly message: Message;
  readonly contextId: string;
  readonly entry: TurnEntry;
  /** The task of earlier turns; undefined on the first. */
  readonly before: Task | undefined;
  readonly mode: TurnMode;
}

/** A turn that a message begins; the same again, its replica died; or none: a task that is only ended. */
export type TurnMode = "new" | "again" | "end";

type Payload = NonNullable<StreamResponse["payload"]>;

/** Progress is left out where so much, in characters, waits to be stored. */
const PROGRESS_PENDING_MAX = 4 * 1024 * 1024;

/** What a task's artifacts may hold in the task itself, in bytes; more goes to the object store. */
const INLINE_BYTES_MAX = 512 * 1024;

/** An artifact that this turn adds to. */
interface Growing {
  readonly artifactId: string;
  /** Parts it has, in the log's order. */
  parts: number;
  /** Those of them that are not in the object store, and about how many bytes they are. */
  inline: Part[];
  bytes: number;
}

const END_STATES: Readonly<Record<Exclude<TurnResult["kind"], "message">, TaskState>> = {
  completed: TaskState.TASK_STATE_COMPLETED,
  failed: TaskState.TASK_STATE_FAILED,
  rejected: TaskState.TASK_STATE_REJECTED,
  "input-required": TaskState.TASK_STATE_INPUT_REQUIRED,
  "auth-required": TaskState.TASK_STATE_AUTH_REQUIRED,
};

export class TurnRunner {
  readonly #options: TurnOptions;
  readonly #growing = new Map<string, Growing>();
  readonly #turnNumber: number;
  /** In the task's artifacts, outside the object store. */
  #inlineBytes: number;
  #isTold = false;
  #hasEnded = false;
  /** Why the task itself could not be told. */
  #tooLarge: unknown;
  #adding: Promise<void> = Promise.resolve();

  constructor(options: TurnOptions) {
    this.#options = options;
    const messages = options.before?.history.length ?? 0;
    // A task that a dead replica told of is not told of again.
    this.#isTold = options.mode !== "new" && options.before !== undefined;
    this.#inlineBytes = (options.before?.artifacts ?? [])
      .flatMap(({ parts }) => parts)
      .reduce((sum, part) => sum + weightOf(part), 0);
    this.#turnNumber = Math.max(1, this.#isTold ? messages : messages + 1);
  }

  /**
   * Runs the agent's code to its end and stores how it ended. Never rejects: what the code throws becomes
   * the task's state, and a writer that was lost leaves the task to whoever has it now.
   */
  async run(): Promise<void> {
    const { writer, agent, log } = this.#options;
    const turn = this.#turn();
    // An answer in place of a task has to come before others can have heard of one.
    if (this.#options.mode === "again") this.#progress("run again: its replica is gone", undefined);
    else setImmediate(() => this.#begin());
    try {
      await this.#claim();
      // A turn that ignores its signal does not hold its task open.
      const result = await unlessAborted(
        Promise.try(() => agent.run(turn)),
        writer.abort.signal,
      );
      this.#end(result);
    } catch (error) {
      if (!writer.lost) this.#fail(error, turn.log);
    }
    await writer.stored().catch((error: unknown) => {
      if (!isConflict(error)) log.error("task.not_stored", { taskId: writer.place.taskId, error });
    });
    writer.end();
  }

  /**
   * A turn that must not be done twice begins when it is stored that this replica does it. Of a task's
   * first turn the runner has seen to that.
   */
  async #claim(): Promise<void> {
    const { mode, before, agent, writer } = this.#options;
    if (mode === "new" && before && !agent.repeatable) {
      this.#begin();
      await writer.stored();
    }
    writer.abort.signal.throwIfAborted();
  }

  /** The task as the turns before this one left it. */
  #earlier(): Task | undefined {
    const { before, mode } = this.#options;
    if (!before || mode !== "again") return before && snapshotOf(before);
    const history = before.history.slice(0, -1);
    return history.length > 0 ? { ...snapshotOf(before), history } : undefined;
  }

  #turn(): Turn {
    const { writer, message, entry, log, contextId, mode } = this.#options;
    const { taskId } = writer.place;
    const trace = parseTraceparent(entry.traceparent) ?? newTrace();
    return {
      taskId,
      contextId,
      message,
      data: firstData(message),
      text: firstText(message),
      task: this.#earlier(),
      isRestart: mode === "again",
      caller: entry.caller,
      onBehalf: entry.onBehalf,
      trace,
      deadlineMs: entry.deadlineMs,
      signal: writer.abort.signal,
      log: log.with({ taskId, traceId: trace.traceId }),
      progress: (text, data) => this.#progress(text, data),
      artifact: (name, data) => this.#inOrder(() => this.#attach(name, [dataPart(data)])),
      attach: (name, parts) => this.#inOrder(() => this.#attach(name, parts)),
      chunk: (name, part, options) =>
        this.#inOrder(() => this.#chunk(name, part, options?.last ?? false)),
    };
  }

  /** What an agent adds without waiting is added one after the other all the same. */
  #inOrder(add: () => Promise<void>): Promise<void> {
    const added = this.#adding.then(add);
    this.#adding = added.catch(() => {});
    return added;
  }

  /** Tells of the task itself, before anything is told of what it does. */
  #begin(): void {
    const { writer, message, contextId, before } = this.#options;
    if (this.#isTold || this.#hasEnded) return;
    this.#isTold = true;
    const { taskId } = writer.place;
    const own = { ...message, taskId, contextId };
    const task: Task = {
      id: taskId,
      contextId,
      status: this.#status(TaskState.TASK_STATE_WORKING, []),
      artifacts: before?.artifacts ?? [],
      history: [...(before?.history ?? []), own],
      metadata: before?.metadata,
    };
    try {
      this.#push({ $case: "task", value: task });
    } catch (error) {
      this.#tooLarge = error;
      // Of a new task, told without what makes it too large, so that there is a task to fail.
      if (!before) this.#push({ $case: "task", value: { ...task, history: [] } });
      this.#options.writer.abort.abort(error);
    }
  }

  #progress(text: string, data: Record<string, unknown> | undefined): void {
    const { writer } = this.#options;
    if (this.#hasEnded || writer.pendingBytes > PROGRESS_PENDING_MAX) return;
    this.#begin();
    const parts = data ? [textPart(text), dataPart(data)] : [textPart(text)];
    this.#pushStatus(this.#status(TaskState.TASK_STATE_WORKING, parts));
  }

  async #attach(name: string, parts: readonly Part[]): Promise<void> {
    const { agent, artifacts, writer } = this.#options;
    if (this.#hasEnded) return;
    this.#begin();
    const bytes = parts.reduce((sum, part) => sum + weightOf(part), 0);
    const isLarge = this.#isTooMuch(bytes, bytes);
    if (!isLarge) this.#inlineBytes += bytes;
    const kept = isLarge ? [await artifacts.put(agent.name, writer.place, parts)] : [...parts];
    this.#pushArtifact(this.#idOf(name), name, kept, { append: false, last: true });
    await writer.room();
  }

  async #chunk(name: string, part: Part, last: boolean): Promise<void> {
    if (this.#hasEnded) return;
    this.#begin();
    const weight = weightOf(part);
    if (weight > limits.ARTIFACT_BYTES_MAX) {
      throw new PetrelError("TOO_LARGE", `a chunk of artifact "${name}" has ${weight} bytes`, {
        limit: limits.ARTIFACT_BYTES_MAX,
      });
    }
    const known = this.#growing.get(name);
    const growing = known ?? { artifactId: this.#idOf(name), parts: 0, inline: [], bytes: 0 };
    this.#growing.set(name, growing);
    const isFull = this.#isTooMuch(growing.bytes + weight, weight);
    if (isFull && growing.inline.length > 0) await this.#move(growing);
    this.#inlineBytes += weight;
    growing.parts++;
    growing.inline.push(part);
    growing.bytes += weight;
    const append = known !== undefined;
    this.#pushArtifact(growing.artifactId, name, [part], { append, last });
    if (this.#inlineBytes > INLINE_BYTES_MAX) await this.#move(growing);
    if (last) this.#growing.delete(name);
    await this.#options.writer.room();
  }

  /** Whether an artifact of so many bytes, by which the task grows by `more`, may not be in the task. */
  #isTooMuch(bytes: number, more: number): boolean {
    return bytes > limits.ARTIFACT_BYTES_MAX || this.#inlineBytes + more > INLINE_BYTES_MAX;
  }

  /** Moves what an artifact has gathered into the object store, so that the task stays small. */
  async #move(growing: Growing): Promise<void> {
    const { agent, artifacts, writer } = this.#options;
    const { inline, artifactId } = growing;
    const part = await artifacts.put(agent.name, writer.place, inline);
    const at = growing.parts - inline.length;
    const json = PartCodec.toJSON(part);
    writer.push({ moved: { artifactId, at, parts: inline.length, part: json } });
    growing.parts = at + 1;
    growing.inline = [];
    this.#inlineBytes -= growing.bytes;
    growing.bytes = 0;
  }

  #pushArtifact(
    artifactId: string,
    name: string,
    parts: Part[],
    { append, last }: { append: boolean; last: boolean },
  ): void {
    if (this.#hasEnded) return;
    const artifact = {
      artifactId,
      name,
      description: "",
      parts,
      metadata: undefined,
      extensions: [],
    };
    const value = { ...this.#ids(), artifact, append, lastChunk: last, metadata: undefined };
    this.#push({ $case: "artifactUpdate", value });
  }

  /** The same on every attempt of a turn, so that what a second one adds takes the first's place. */
  #idOf(name: string): string {
    const base = isSubjectToken(name)
      ? name
      : new Bun.CryptoHasher("sha256").update(name).digest("hex").slice(0, 32);
    return this.#turnNumber === 1 ? base : `${base}.${this.#turnNumber}`;
  }

  #end(result: TurnResult): void {
    const data = result.data ? [dataPart(result.data)] : [];
    const parts = [textPart(result.text), ...data];
    if (result.kind !== "message") {
      this.#begin();
      if (this.#tooLarge !== undefined) throw this.#tooLarge;
      this.#hasEnded = true;
      this.#pushStatus(this.#status(END_STATES[result.kind], parts));
    } else if (this.#isTold || this.#options.before) {
      throw new PetrelError(
        "INTERNAL",
        "the agent answered with a message after its task had begun",
      );
    } else {
      const { contextId } = this.#options;
      this.#push({ $case: "message", value: agentMessage({ taskId: "", contextId }, parts) });
      this.#hasEnded = true;
    }
  }

  #fail(error: unknown, log: Logger): void {
    this.#begin();
    this.#hasEnded = true;
    const cancelled = error instanceof PetrelError && error.code === "CANCELLED";
    log.warn(cancelled ? "task.cancelled" : "task.failed", { error });
    const state = cancelled ? TaskState.TASK_STATE_CANCELED : TaskState.TASK_STATE_FAILED;
    this.#pushStatus(this.#status(state, [textPart(messageOf(error))]));
  }

  #status(state: TaskState, parts: Message["parts"]): TaskStatus {
    const timestamp = new Date(this.#options.clock.nowMs()).toISOString();
    const message = parts.length > 0 ? agentMessage(this.#ids(), parts) : undefined;
    return { state, message, timestamp };
  }

  #pushStatus(status: TaskStatus): void {
    this.#push({ $case: "statusUpdate", value: { ...this.#ids(), status, metadata: undefined } });
  }

  #push(payload: Payload): void {
    const { writer } = this.#options;
    writer.push({ event: { payload } });
    writer.flushSoon();
  }

  #ids(): { taskId: string; contextId: string } {
    return { taskId: this.#options.writer.place.taskId, contextId: this.#options.contextId };
  }
}
