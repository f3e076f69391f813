/**
 * What processes left behind that died: their journals are taken over and sent under the dead sender's
 * own name, numbers and subject, then ended. An owner that was not dead after all finds its journal
 * closed, and begins another one. A journal that makes no sense is set aside and named in the log; its
 * sender falls silent in the stream, which is noticed there.
 */
import { closeSync, openSync, readSync, renameSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { type Clock, type Logger, PetrelError } from "../../core/mod.ts";
import {
  claim,
  isDead,
  type JournalFile,
  journalsOf,
  removeUnfinished,
  setAside,
} from "./folder.ts";
import { Journal } from "./journal.ts";
import type { Lane } from "./lane.ts";
import { DATA_AT, JournalPage } from "./layout.ts";

export interface AdoptOptions {
  readonly dir: string;
  /** Permissions let a process publish under its own name: it adopts journals of that name. */
  readonly name: string;
  /** Where we are connected. */
  readonly servers: readonly string[];
  readonly clock: Clock;
  readonly log: Logger;
  /** A lane for a journal that was taken over. */
  readonly open: (journal: Journal) => Lane;
  /** Files that were named in the log already. */
  readonly named: Set<string>;
}

/** Adopts every journal whose owner is dead, one after another, until `signal` aborts. */
export async function adoptJournals(options: AdoptOptions, signal: AbortSignal): Promise<void> {
  const { dir, name, clock, log } = options;
  removeUnfinished(dir, name, clock.nowMs());
  for (const found of journalsOf(dir, name)) {
    if (signal.aborted) return;
    try {
      await adopt(options, found, signal);
    } catch (error) {
      once(options, found.file, () => log.error("audit.journal_left", { file: found.file, error }));
    }
  }
}

async function adopt(options: AdoptOptions, found: JournalFile, signal: AbortSignal) {
  const { dir, clock, log } = options;
  const page = () => readPage(join(dir, found.file));
  if (!isDead(found.owner, clock.nowMs(), () => page()?.aliveAtMs ?? Number.NEGATIVE_INFINITY))
    return;
  if (!isOurs(options, found, page())) return;
  const path = claim(dir, found);
  if (path === undefined) return;
  const journal = takeOrSetAside(options, path, found);
  if (!journal) return;
  const { pending, packs } = journal;
  log.warn("audit.adopted", { file: found.file, pending, packs });
  const lane = options.open(journal);
  const stop = () => lane.stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    if (await lane.finish()) log.info("audit.adopted_stored", { file: found.file, pending });
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** A journal of another host, or of another mesh, is not ours to send. What cannot be read is ours to set aside. */
function isOurs(
  options: AdoptOptions,
  { file }: JournalFile,
  page: JournalPage | undefined,
): boolean {
  const { servers, log } = options;
  try {
    const identity = page?.identity();
    if (!identity) return true;
    if (identity.host !== hostname()) {
      once(options, file, () => log.warn("audit.journal_elsewhere", { file, host: identity.host }));
      return false;
    }
    if (identity.servers.some((server) => servers.includes(server))) return true;
    const theirs = identity.servers.join(", ");
    once(options, file, () => log.warn("audit.journal_elsewhere", { file, servers: theirs }));
    return false;
  } catch {
    return true;
  }
}

function once({ named }: AdoptOptions, file: string, write: () => void): void {
  if (named.has(file)) return;
  named.add(file);
  write();
}

/** The first page, read and not mapped; undefined when there is none. */
function readPage(path: string): JournalPage | undefined {
  const bytes = new Uint8Array(DATA_AT);
  try {
    const file = openSync(path, "r");
    try {
      if (readSync(file, bytes, 0, DATA_AT, 0) < DATA_AT) return undefined;
    } finally {
      closeSync(file);
    }
    return new JournalPage(bytes);
  } catch {
    return undefined;
  }
}

/** Undefined for a journal that makes no sense. Throws UNAVAILABLE when there is no room to take it over. */
function takeOrSetAside(
  { dir, clock, log }: AdoptOptions,
  path: string,
  found: JournalFile,
): Journal | undefined {
  try {
    const journal = Journal.adopt(path, clock.nowMs());
    const { name, sender, shard } = journal.identity;
    if (name === found.name && sender === found.sender && shard === found.shard) return journal;
    throw new PetrelError("PROTOCOL_VIOLATION", "journal: its name says another sender", {
      place: "identity",
    });
  } catch (error) {
    if (error instanceof PetrelError && error.code === "UNAVAILABLE") {
      // Under its dead owner's name it is found again.
      renameSync(path, join(dir, found.file));
      throw error;
    }
    log.error("audit.journal_bad", { kept: setAside(path), error });
    return undefined;
  }
}
