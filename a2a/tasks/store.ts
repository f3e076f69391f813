/**
 * Snapshots of tasks in KV, so that any replica answers GetTask and finds the owner of a running one.
 * One writer per key: the replica that runs the task, or a canceller once that replica is gone.
 */
import { Task } from "@a2a-js/sdk";
import type { KV } from "@nats-io/kv";
import { z } from "zod";
import { isSubjectToken, PetrelError } from "../../core/mod.ts";

export const TASKS_BUCKET = "A2A_TASKS";

const Stored = z.object({ task: z.unknown(), caller: z.string(), instance: z.string() });

function readStored(text: string): z.infer<typeof Stored> {
  try {
    return Stored.parse(JSON.parse(text));
  } catch (error) {
    throw new PetrelError("PROTOCOL_VIOLATION", `${TASKS_BUCKET}: malformed snapshot`, {}, error);
  }
}

export interface TaskSnapshot {
  readonly task: Task;
  /** Who may see it: the caller that created it. */
  readonly caller: string;
  /** The replica that runs or ran it. */
  readonly instance: string;
  readonly revision: number;
}

export class TaskStore {
  readonly #kv: KV;
  readonly #agent: string;
  readonly #instance: string;

  constructor(kv: KV, agent: string, instance: string) {
    this.#kv = kv;
    this.#agent = agent;
    this.#instance = instance;
  }

  /** Writes the first snapshot of a task this replica runs; resolves with its revision. */
  create(task: Task, caller: string): Promise<number> {
    const value = { task: Task.toJSON(task), caller, instance: this.#instance };
    return this.#kv.create(this.#key(task.id), JSON.stringify(value));
  }

  /** Writes the last one over its first; false when somebody ended the task in between. */
  end(task: Task, caller: string, revision: number): Promise<boolean> {
    return this.replace({ task, caller, instance: this.#instance, revision }, task);
  }

  /** Replaces a snapshot only if nobody wrote it since; false when somebody did. */
  async replace(snapshot: TaskSnapshot, task: Task): Promise<boolean> {
    const { caller, instance, revision } = snapshot;
    const value = JSON.stringify({ task: Task.toJSON(task), caller, instance });
    try {
      await this.#kv.update(this.#key(task.id), value, revision);
      return true;
    } catch (error) {
      if (error instanceof Error && /wrong last sequence/i.test(error.message)) return false;
      throw error;
    }
  }

  /** The snapshot, if there is one that `caller` may see. An id that is no token names no task. */
  async load(taskId: string, caller: string): Promise<TaskSnapshot | undefined> {
    if (!isSubjectToken(taskId)) return undefined;
    const entry = await this.#kv.get(this.#key(taskId));
    if (entry?.operation !== "PUT") return undefined;
    const stored = readStored(entry.string());
    if (stored.caller !== caller) return undefined;
    const { instance } = stored;
    return { task: Task.fromJSON(stored.task), caller, instance, revision: entry.revision };
  }

  #key(taskId: string): string {
    return `${this.#agent}.${taskId}`;
  }
}
