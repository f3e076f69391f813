/**
 * The SRE agents' shared memory in KV. Creating a key decides who was first; compare-and-set decides who
 * still owns. Nothing here decides what to do about it.
 */
import type { KV, KvWatchEntry } from "@nats-io/kv";
import type { z } from "zod";
import { type Logger, messageOf, PetrelError } from "../../core/mod.ts";
import { Explanation } from "../explain/record.ts";
import { isWrongSequence } from "../replies.ts";
import { InvestigationRecord, Verdict } from "./records.ts";

export interface Versioned<T> {
  readonly value: T;
  readonly revision: number;
}

export class InvestigationStore {
  readonly #kv: KV;
  readonly #log: Logger;

  constructor(kv: KV, log: Logger) {
    this.#kv = kv;
    this.#log = log;
  }

  /** Claims a window; undefined when another SRE agent was first. */
  async open(record: InvestigationRecord): Promise<Versioned<InvestigationRecord> | undefined> {
    const revision = await this.#create(`task.${record.id}`, record);
    return revision === undefined ? undefined : { value: record, revision };
  }

  /** Changes a record if nobody has since; undefined when somebody has: we no longer own it. */
  async update(
    current: Versioned<InvestigationRecord>,
    change: Partial<InvestigationRecord>,
  ): Promise<Versioned<InvestigationRecord> | undefined> {
    const value = { ...current.value, ...change };
    const revision = await this.#replace(`task.${value.id}`, value, current.revision);
    return revision === undefined ? undefined : { value, revision };
  }

  get(id: string): Promise<Versioned<InvestigationRecord> | undefined> {
    return this.#read(`task.${id}`, InvestigationRecord);
  }

  /** The window's one verdict: this one if it is the first, else the one that was. */
  async settle(verdict: Verdict): Promise<{ verdict: Verdict; first: boolean }> {
    const revision = await this.#create(`v.${verdict.id}`, verdict);
    if (revision !== undefined) return { verdict, first: true };
    const there = await this.verdict(verdict.id);
    if (!there)
      throw new PetrelError("INTERNAL", `verdict ${verdict.id} is there and cannot be read`);
    return { verdict: there, first: false };
  }

  async verdict(id: string): Promise<Verdict | undefined> {
    return (await this.#read(`v.${id}`, Verdict))?.value;
  }

  /** The verdict's words: these if they are the first, else those that were. Nobody is asked twice. */
  async keepWords(id: string, words: Explanation): Promise<Explanation> {
    const revision = await this.#create(`x.${id}`, words);
    return (revision === undefined ? await this.words(id) : undefined) ?? words;
  }

  async words(id: string): Promise<Explanation | undefined> {
    return (await this.#read(`x.${id}`, Explanation))?.value;
  }

  /** Every record, now and as it changes, until `signal` aborts. A malformed one is logged and skipped. */
  async watch(
    take: (record: Versioned<InvestigationRecord>) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const watch = await this.#kv.watch({ key: "task.*", ignoreDeletes: true });
    signal.addEventListener("abort", () => watch.stop(), { once: true });
    if (signal.aborted) watch.stop();
    void this.#follow(watch, take).catch((error: unknown) => {
      this.#log.error("investigations.watch_ended", { error });
    });
  }

  async #follow(
    watch: AsyncIterable<KvWatchEntry>,
    take: (record: Versioned<InvestigationRecord>) => void,
  ): Promise<void> {
    for await (const entry of watch) {
      const value = this.#parse(entry.key, entry.string(), InvestigationRecord);
      if (value) take({ value, revision: entry.revision });
    }
  }

  async #create(key: string, value: unknown): Promise<number | undefined> {
    try {
      return await this.#kv.create(key, JSON.stringify(value));
    } catch (error) {
      if (isWrongSequence(error)) return undefined;
      throw error;
    }
  }

  async #replace(key: string, value: unknown, revision: number): Promise<number | undefined> {
    try {
      return await this.#kv.update(key, JSON.stringify(value), revision);
    } catch (error) {
      if (isWrongSequence(error)) return undefined;
      throw error;
    }
  }

  async #read<T>(key: string, schema: z.ZodType<T>): Promise<Versioned<T> | undefined> {
    const entry = await this.#kv.get(key);
    if (entry?.operation !== "PUT") return undefined;
    const value = this.#parse(key, entry.string(), schema);
    return value === undefined ? undefined : { value, revision: entry.revision };
  }

  #parse<T>(key: string, text: string, schema: z.ZodType<T>): T | undefined {
    try {
      return schema.parse(JSON.parse(text));
    } catch (error) {
      this.#log.warn("record.malformed", { key, error: messageOf(error) });
      return undefined;
    }
  }
}
