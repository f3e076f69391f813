/**
 * Which tasks are being run, and by whom, in KV: what a supervisor watches. Of a long log the entry also
 * holds a snapshot, so that nobody reads it from its beginning. An entry is a hint: the log decides.
 */
import { Task } from "@a2a-js/sdk";
import type { KV, KvWatchEntry } from "@nats-io/kv";
import { z } from "zod";
import type { Logger } from "../../core/mod.ts";
import { isWrongRevision } from "../kv.ts";
import type { Folded } from "./fold.ts";
import type { TaskPlace } from "./log.ts";
import { TurnJson } from "./record.ts";

export const TASKS_BUCKET = "A2A_TASKS";

/** A snapshot larger than this is not kept: the log is read instead. */
const SNAPSHOT_BYTES_MAX = 512 * 1024;

const Stored = z.object({
  v: z.literal(1),
  instance: z.string(),
  /** False once the task is at rest and only its snapshot is left. */
  open: z.boolean(),
  seq: z.number().int().min(0),
  event: z.number().int().min(0),
  task: z.unknown().optional(),
  turn: TurnJson.optional(),
});

export interface OpenTask extends TaskPlace {
  readonly instance: string;
  /** Of the entry: who removes it must not remove a later one. */
  readonly revision: number;
}

/** A task after the record with sequence `seq`. */
export interface Snapshot {
  readonly seq: number;
  readonly folded: Folded;
}

export class OpenTasks {
  readonly #kv: KV;
  readonly #agent: string;
  readonly #instance: string;

  constructor(kv: KV, agent: string, instance: string) {
    this.#kv = kv;
    this.#agent = agent;
    this.#instance = instance;
  }

  /** Says that this replica runs the task, which is `folded` after the record `seq`. */
  async put(place: TaskPlace, seq: number, folded: Folded, open: boolean): Promise<number> {
    const { event, task, turn } = folded;
    const head = { v: 1, instance: this.#instance, open, seq, event, turn };
    const whole = JSON.stringify(task && seq > 0 ? { ...head, task: Task.toJSON(task) } : head);
    const fits = whole.length <= SNAPSHOT_BYTES_MAX;
    return this.#kv.put(this.#key(place), fits ? whole : JSON.stringify(head));
  }

  /**
   * Says that this replica is about to run a task, where nobody says so already: of two that begin the same
   * task the log refuses one, and that one must not stand here.
   */
  async claim(place: TaskPlace): Promise<number | undefined> {
    const head = { v: 1, instance: this.#instance, open: true, seq: 0, event: 0 };
    try {
      return await this.#kv.create(this.#key(place), JSON.stringify(head));
    } catch (error) {
      if (!isWrongRevision(error)) throw error;
      return undefined;
    }
  }

  /** Removes an entry, unless somebody wrote another in its place. */
  async remove(place: TaskPlace, revision: number): Promise<void> {
    try {
      await this.#kv.delete(this.#key(place), { previousSeq: revision });
    } catch (error) {
      if (!isWrongRevision(error)) throw error;
    }
  }

  /** The last snapshot of a task, where one was kept. */
  async snapshot(place: TaskPlace): Promise<Snapshot | undefined> {
    const entry = await this.#kv.get(this.#key(place));
    if (entry?.operation !== "PUT") return undefined;
    const stored = Stored.safeParse(jsonOf(entry.string()));
    if (!stored.success || stored.data.task === undefined) return undefined;
    const { seq, event, task, turn } = stored.data;
    const folded = { task: Task.fromJSON(task), answer: undefined, turn, event };
    return { seq, folded };
  }

  /** The agent's open tasks as they come and go, until the watch ends. `undefined` is one that went. */
  async watch(
    log: Logger,
    onChange: (key: string, open: OpenTask | undefined) => void,
    onEnd: () => void,
  ): Promise<() => void> {
    let isStopped = false;
    const watch = await this.#kv.watch({ key: `${this.#agent}.>` });
    void (async () => {
      for await (const entry of watch) onChange(entry.key, this.#read(entry));
      if (!isStopped) onEnd();
    })().catch((error: unknown) => {
      log.error("tasks.watch_ended", { error });
      onEnd();
    });
    return () => {
      isStopped = true;
      watch.stop();
    };
  }

  #read(entry: KvWatchEntry): OpenTask | undefined {
    const [, owner = "", taskId = ""] = entry.key.split(".");
    if (entry.operation !== "PUT") return undefined;
    const stored = Stored.safeParse(jsonOf(entry.string()));
    if (!stored.success || !stored.data.open) return undefined;
    return { owner, taskId, instance: stored.data.instance, revision: entry.revision };
  }

  #key({ owner, taskId }: TaskPlace): string {
    return `${this.#agent}.${owner}.${taskId}`;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
