/**
 * Push notification configs in the KV bucket A2A_PUSH (A2A 1.0 sections 3.1.7 to 3.1.10), each with the
 * number of the last event its webhook has. Every change is a compare-and-set, so that of two replicas
 * one goes on and the other stops. A config holds the client's secrets: it is never logged.
 */
import {
  type DeleteTaskPushNotificationConfigRequest,
  type GetTaskPushNotificationConfigRequest,
  type ListTaskPushNotificationConfigsRequest,
  ListTaskPushNotificationConfigsResponse,
  TaskPushNotificationConfig,
} from "@a2a-js/sdk";
import { TaskNotFoundError } from "@a2a-js/sdk/errors";
import type { JetStreamManager } from "@nats-io/jetstream";
import type { KV, KvEntry } from "@nats-io/kv";
import { isSubjectToken, PetrelError } from "../../core/mod.ts";
import type { AddressGuard } from "./address.ts";
import { checkedConfig, malformed } from "./check.ts";
import { isWrongRevision, type PushEntry, type PushState, readEntry, writeEntry } from "./entry.ts";
import { fromPageToken, toPageToken } from "./page.ts";

export const PUSH_BUCKET = "A2A_PUSH";
export const PUSH_CONFIGS_MAX = 16;
const STREAM = `KV_${PUSH_BUCKET}`;
const CREATE_ATTEMPTS_MAX = 5;
/** Ids a task's configs may have had in all: what is deleted leaves a marker, for as long as the bucket says. */
const KEYS_MAX = 256;

export interface PushConfigsOptions {
  readonly kv: KV;
  readonly jsm: JetStreamManager;
  readonly agent: string;
  /** Judges a webhook's URL when it is named; its addresses are judged when it is called. */
  readonly guard: AddressGuard;
}

/** One change the bucket tells of; without an entry the config is gone. */
export interface PushChange {
  readonly key: string;
  readonly entry: PushEntry | undefined;
}

export class PushConfigs {
  readonly #kv: KV;
  readonly #jsm: JetStreamManager;
  readonly #agent: string;
  readonly #guard: AddressGuard;

  constructor({ kv, jsm, agent, guard }: PushConfigsOptions) {
    this.#kv = kv;
    this.#jsm = jsm;
    this.#agent = agent;
    this.#guard = guard;
  }

  /**
   * Stores a config; mints its id when it has none, and replaces the one of the same id. `owner` is the
   * task's, as one subject token; whether the task is that owner's is the caller's to know. `lastEvent`
   * is the number of the task's last event: the webhook gets those after it. Throws RequestMalformed
   * naming the field, and for the 17th config of a task.
   */
  async create(
    owner: string,
    given: TaskPushNotificationConfig,
    lastEvent = 0,
  ): Promise<TaskPushNotificationConfig> {
    const config = checkedConfig(this.#guard, given);
    const key = this.#key(owner, config.taskId, config.id);
    for (let attempt = 1; ; attempt++) {
      const existing = await this.#read(key);
      const made = existing
        ? await this.#renew(existing, config)
        : await this.#add(key, config, lastEvent);
      if (made) {
        if (!existing) await this.#keepBound(owner, config.taskId, key);
        return config;
      }
      if (attempt < CREATE_ATTEMPTS_MAX) continue;
      throw new PetrelError("CONFLICT", "the push notification config changes too often");
    }
  }

  /** Checks a config as {@link create} does, and stores nothing: for a message that brings one. */
  check(given: TaskPushNotificationConfig): void {
    checkedConfig(this.#guard, { ...given, taskId: given.taskId || "task" });
  }

  /** The config; throws TaskNotFound when there is none (section 3.1.8). */
  async get(
    owner: string,
    { taskId, id }: Pick<GetTaskPushNotificationConfigRequest, "taskId" | "id">,
  ): Promise<TaskPushNotificationConfig> {
    const isName = isSubjectToken(taskId) && isSubjectToken(id);
    const entry = isName ? await this.#read(this.#key(owner, taskId, id)) : undefined;
    if (entry) return entry.config;
    throw new TaskNotFoundError("the task has no push notification config of this id");
  }

  /** A page of the task's configs, by id. Throws RequestMalformed for a page that cannot be. */
  async list(
    owner: string,
    request: Pick<ListTaskPushNotificationConfigsRequest, "taskId" | "pageSize" | "pageToken">,
  ): Promise<ListTaskPushNotificationConfigsResponse> {
    const { taskId, pageSize, pageToken } = request;
    if (!Number.isInteger(pageSize) || pageSize < 0)
      throw malformed("pageSize", "must be 1 or more");
    const after = pageToken === "" ? "" : fromPageToken(pageToken);
    const entries = await this.entries(owner, taskId);
    const ids = entries.map(({ config }) => config).filter(({ id }) => id > after);
    const page = ids.slice(0, pageSize === 0 ? PUSH_CONFIGS_MAX : pageSize);
    const last = page.length < ids.length ? (page.at(-1)?.id ?? "") : "";
    return ListTaskPushNotificationConfigsResponse.fromJSON({
      configs: page.map((config) => TaskPushNotificationConfig.toJSON(config)),
      nextPageToken: last && toPageToken(last),
    });
  }

  /** Removes a config; one that is not there is removed already (section 3.1.10). */
  async delete(
    owner: string,
    { taskId, id }: Pick<DeleteTaskPushNotificationConfigRequest, "taskId" | "id">,
  ): Promise<void> {
    if (!isSubjectToken(taskId) || !isSubjectToken(id)) return;
    const key = this.#key(owner, taskId, id);
    if (await this.#read(key)) await this.#kv.delete(key);
  }

  /** A task's configs with what their webhooks have, by id. A task id that is no name has none. */
  async entries(owner: string, taskId: string): Promise<PushEntry[]> {
    if (!isSubjectToken(taskId)) return [];
    const keys = await this.#keysOf(owner, taskId);
    const entries = await Promise.all(keys.map((key) => this.#read(key)));
    return entries
      .filter((entry) => entry !== undefined)
      .sort((a, b) => (a.config.id < b.config.id ? -1 : 1));
  }

  /** One entry as it stands now. */
  reread(entry: PushEntry): Promise<PushEntry | undefined> {
    return this.#read(entry.key);
  }

  /** Changes an entry if nobody changed it since; undefined when somebody did. */
  async replace(
    entry: PushEntry,
    change: Partial<Pick<PushEntry, "config" | "delivered" | "holder">> & { state?: PushState },
  ): Promise<PushEntry | undefined> {
    const next = { ...entry, ...change };
    try {
      const revision = await this.#kv.update(entry.key, writeEntry(next), entry.revision);
      return { ...next, revision };
    } catch (error) {
      if (isWrongRevision(error)) return undefined;
      throw error;
    }
  }

  /** Removes the config of a task that is gone. */
  async remove(entry: PushEntry): Promise<void> {
    await this.#kv.delete(entry.key, { previousSeq: entry.revision }).catch((error: unknown) => {
      if (!isWrongRevision(error)) throw error;
    });
  }

  /** What stands in the bucket for this agent, then every change, until the signal aborts. */
  async *watch(signal: AbortSignal): AsyncGenerator<PushChange, void, undefined> {
    const watch = await this.#kv.watch({ key: `${this.#agent}.>` });
    const stop = () => watch.stop();
    signal.addEventListener("abort", stop, { once: true });
    try {
      if (signal.aborted) return;
      for await (const entry of watch) yield { key: entry.key, entry: this.#readKv(entry) };
    } finally {
      signal.removeEventListener("abort", stop);
      stop();
    }
  }

  /** What had ended or was given up begins anew, at whichever replica is there. */
  #renew(entry: PushEntry, config: TaskPushNotificationConfig): Promise<PushEntry | undefined> {
    const holder = entry.state === "active" ? entry.holder : "";
    return this.replace(entry, { config, state: "active", holder });
  }

  async #add(
    key: string,
    config: TaskPushNotificationConfig,
    delivered: number,
  ): Promise<PushEntry | undefined> {
    const [, owner = ""] = key.split(".");
    const fresh = {
      key,
      owner,
      config,
      delivered,
      holder: "",
      state: "active",
      revision: 0,
    } as const;
    try {
      return { ...fresh, revision: await this.#kv.create(key, writeEntry(fresh)) };
    } catch (error) {
      if (isWrongRevision(error)) return undefined;
      throw error;
    }
  }

  /** Counted after the fact: two that come at once see each other, and the bound holds. */
  async #keepBound(owner: string, taskId: string, key: string): Promise<void> {
    const keys = await this.#keysOf(owner, taskId);
    const isRoom =
      keys.length <= PUSH_CONFIGS_MAX ||
      (keys.length <= KEYS_MAX && (await this.entries(owner, taskId)).length <= PUSH_CONFIGS_MAX);
    if (isRoom) return;
    await this.#kv.delete(key);
    throw malformed("taskId", `the task has ${PUSH_CONFIGS_MAX} push notification configs already`);
  }

  /**
   * The keys of a task, of deleted configs too. The bucket's own list leaves out a key that is written
   * while it is read, as one of a running task is all the time.
   */
  async #keysOf(owner: string, taskId: string): Promise<string[]> {
    const prefix = `$KV.${PUSH_BUCKET}.`;
    const filter = `${prefix}${this.#key(owner, taskId, "*")}`;
    const { state } = await this.#jsm.streams.info(STREAM, { subjects_filter: filter });
    return Object.keys(state.subjects ?? {}).map((subject) => subject.slice(prefix.length));
  }

  async #read(key: string): Promise<PushEntry | undefined> {
    const entry = await this.#kv.get(key);
    return entry ? this.#readKv(entry) : undefined;
  }

  #readKv(entry: KvEntry): PushEntry | undefined {
    return entry.operation === "PUT" ? readEntry(entry) : undefined;
  }

  #key(owner: string, taskId: string, id: string): string {
    if (isSubjectToken(owner)) return `${this.#agent}.${owner}.${taskId}.${id}`;
    throw new PetrelError("INTERNAL", "push: the owner is no subject token");
  }
}
