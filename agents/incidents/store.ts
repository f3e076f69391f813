/**
 * Incidents in KV: the book, which is changed by compare-and-set, each incident's record, and dead
 * letters. Decides nothing. What cannot be read holds back no alarm: it is set aside and said.
 */
import type { KV } from "@nats-io/kv";
import type { z } from "zod";
import { Notice } from "../../alarms/mod.ts";
import { type Clock, type Logger, messageOf, PetrelError } from "../../core/mod.ts";
import { isWrongSequence } from "../replies.ts";
import { BOOK_VERSION, Book, changeId, EMPTY_BOOK } from "./book.ts";
import { Incident } from "./record.ts";

export const INCIDENTS_BUCKET = "PETREL_INCIDENTS";
/** Incidents that nobody touched for this long are forgotten. */
export const INCIDENTS_TTL_MS = 400 * 86_400_000;

const BOOK = "book";
const ATTEMPTS = 50;
const WAIT_MS_MAX = 100;
/** Records read at once for a list. */
const READS = 16;

export interface IncidentStoreOptions {
  readonly kv: KV;
  readonly clock: Clock;
  readonly log: Logger;
}

export class IncidentStore {
  readonly #options: IncidentStoreOptions;

  constructor(options: IncidentStoreOptions) {
    this.#options = options;
  }

  async book(): Promise<Book> {
    return (await this.#readBook()).book;
  }

  /**
   * Changes the book by `decide`, which is called again with what others wrote meanwhile. The same book
   * back is no change. Throws CONFLICT when it never gets through, and what NATS says.
   */
  async changeBook(decide: (book: Book) => Book): Promise<Book> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const { book, revision } = await this.#readBook();
      const next = decide(book);
      if (next === book) return book;
      if (await this.#write(BOOK, Book.parse(next), revision)) return next;
      await this.#wait();
    }
    throw new PetrelError("CONFLICT", "the book of incidents keeps changing", { key: BOOK });
  }

  async incident(id: string): Promise<Incident | undefined> {
    return (await this.#read(keyOf(id), Incident))?.value;
  }

  /** Changes a record by `edit`, which may make it; undefined back is no change. Throws CONFLICT. */
  async changeIncident(
    id: string,
    edit: (known: Incident | undefined) => Incident | undefined,
  ): Promise<Incident | undefined> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const known = await this.#read(keyOf(id), Incident);
      const next = edit(known?.value);
      if (next === undefined || next === known?.value) return known?.value;
      if (await this.#write(keyOf(id), Incident.parse(next), known?.revision ?? 0)) return next;
      await this.#wait();
    }
    throw new PetrelError("CONFLICT", `incident ${id} keeps changing`, { incident: id });
  }

  /** Every record's id, oldest first: ids begin with their time. */
  async ids(): Promise<string[]> {
    const ids: string[] = [];
    for await (const key of await this.#options.kv.keys("inc.*")) ids.push(key.slice(4));
    // One that changes while the keys are read comes twice.
    return [...new Set(ids)].sort();
  }

  /** Records in the order of `ids`; those that are gone or cannot be read are left out. */
  async incidents(ids: readonly string[]): Promise<Incident[]> {
    const found: Incident[] = [];
    for (let at = 0; at < ids.length; at += READS) {
      const some = await Promise.all(ids.slice(at, at + READS).map((id) => this.incident(id)));
      found.push(...some.filter((one) => one !== undefined));
    }
    return found;
  }

  /**
   * A notice as it was first put together: this one if it is the first, else the one that was. Whoever sends
   * it again says the same, whatever became of the incident since. Throws CONFLICT and what NATS says.
   */
  async keepNotice(notice: Notice): Promise<Notice> {
    const key = `n.${notice.id}`;
    const known = await this.#read(key, Notice);
    if (known?.value) return known.value;
    if (await this.#write(key, notice, known?.revision ?? 0)) return notice;
    throw new PetrelError("CONFLICT", `notice ${notice.id} is being kept by another`, { key });
  }

  /** A notice as it was first put together, if it is still kept. */
  async notice(id: string): Promise<Notice | undefined> {
    return (await this.#read(`n.${id}`, Notice))?.value;
  }

  /** Keeps a notice that a sink never took, with the reason. */
  async bury(notice: Notice, sink: string, reason: string, at: string): Promise<void> {
    const letter = { notice, sink, reason: reason.slice(0, 1_000), at };
    await this.#options.kv.put(`dl.${notice.id}.${sink}`, JSON.stringify(letter));
  }

  /** Forgets a dead letter, if there is one. */
  async unbury(noticeId: string, sink: string): Promise<void> {
    await this.#options.kv.delete(`dl.${noticeId}.${sink}`);
  }

  /** Follows records as they change, those that are there first, until `signal` aborts or it ends. */
  async watch(take: (incident: Incident) => void, signal: AbortSignal): Promise<void> {
    const watch = await this.#options.kv.watch({ key: "inc.*", ignoreDeletes: true });
    const stop = () => watch.stop();
    signal.addEventListener("abort", stop, { once: true });
    try {
      if (signal.aborted) stop();
      for await (const entry of watch) {
        const value = this.#parse(entry.key, entry.string(), Incident);
        if (value) take(value);
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async #readBook(): Promise<{ book: Book; revision: number }> {
    const found = await this.#read(BOOK, Book);
    return { book: found?.value ?? EMPTY_BOOK, revision: found?.revision ?? 0 };
  }

  async #read<T>(
    key: string,
    schema: z.ZodType<T>,
  ): Promise<{ value: T | undefined; revision: number } | undefined> {
    const entry = await this.#options.kv.get(key);
    if (entry === null) return undefined;
    if (entry.operation !== "PUT") return { value: undefined, revision: entry.revision };
    const text = entry.string();
    const value = this.#parse(key, text, schema);
    if (value === undefined && isNewer(text)) throw newerThanWe(key);
    if (value === undefined) await this.#setAside(key, text);
    return { value, revision: entry.revision };
  }

  /** What cannot be read is written over by the next change, and kept for whoever wants to know. */
  async #setAside(key: string, text: string): Promise<void> {
    await this.#options.kv.put(`broken.${key}`, text).catch(() => {});
  }

  #parse<T>(key: string, text: string, schema: z.ZodType<T>): T | undefined {
    try {
      return schema.parse(JSON.parse(text));
    } catch (error) {
      this.#options.log.error("incidents.malformed", { key, error: messageOf(error) });
      return undefined;
    }
  }

  /** True when nobody wrote since `revision`; 0: the key must not be there. */
  async #write(key: string, value: unknown, revision: number): Promise<boolean> {
    const { kv } = this.#options;
    const text = JSON.stringify(value);
    try {
      await (revision === 0 ? kv.create(key, text) : kv.update(key, text, revision));
      return true;
    } catch (error) {
      if (isWrongSequence(error)) return false;
      throw error;
    }
  }

  async #wait(): Promise<void> {
    await this.#options.clock.sleep(Math.random() * WAIT_MS_MAX);
  }
}

/** While a mesh is upgraded, what the newer agents write is not for the older ones to set aside. */
function isNewer(text: string): boolean {
  const version = /^\{"version":(\d+)[,}]/.exec(text)?.[1];
  return version !== undefined && Number(version) > BOOK_VERSION;
}

function newerThanWe(key: string): PetrelError {
  const message = `the ${key} of incidents is written by a newer Petrel: upgrade this one`;
  return new PetrelError("UNAVAILABLE", message, { key });
}

function keyOf(id: string): string {
  return `inc.${id}`;
}

export { changeId };
