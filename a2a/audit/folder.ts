/**
 * The folder of journals, and whose each is. A journal's owner stands in its name, so that one rename
 * takes it over: of two processes that try, one wins. A journal is taken over only when its owner is
 * certainly dead, and belonged to this host.
 */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { messageOf, PetrelError } from "../../core/mod.ts";

/**
 * Where journals lie unless the configuration says otherwise: $XDG_STATE_HOME, else the home's
 * `.local/state` (XDG Base Directory Specification), else the folder of temporary files.
 */
export function defaultOutboxDir(env: Readonly<Record<string, string | undefined>>): string {
  const { XDG_STATE_HOME: state = "", HOME: home } = env;
  // A relative path there is invalid, and to be ignored.
  if (isAbsolute(state)) return join(state, "petrel", "outbox");
  if (home) return join(home, ".local", "state", "petrel", "outbox");
  return join(tmpdir(), "petrel", "outbox");
}

/** One journal in the folder, as its name tells. */
export interface JournalFile {
  readonly file: string;
  readonly name: string;
  readonly sender: string;
  readonly shard: number;
  readonly owner: Owner;
}

/** A process, told apart from any other that had or will have its number. */
export interface Owner {
  /** Boot and process namespace: process numbers mean something only within. */
  readonly scope: string;
  readonly pid: number;
  /** Clock ticks after boot, on Linux; 0 elsewhere. */
  readonly started: number;
}

/** An owner that cannot be looked up is dead when it has not been heard of for this long. */
const LEASE_MS = 60_000;

const FILE_NAME =
  /^([A-Za-z0-9_-]{1,128})\.([A-Za-z0-9_-]{1,64})\.(\d{1,2})\.([0-9a-f]{8})-(\d{1,10})-(\d{1,16})\.journal$/;

export function journalFileName(journal: Omit<JournalFile, "file">): string {
  const { name, sender, shard, owner } = journal;
  return `${name}.${sender}.${shard}.${owner.scope}-${owner.pid}-${owner.started}.journal`;
}

/** Makes the folder, for its owner's eyes only. Throws UNAVAILABLE naming it. */
export function makeOutboxDir(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new PetrelError(
      "UNAVAILABLE",
      `audit: no outbox folder (audit.outbox_dir): ${messageOf(error)}`,
      { path: dir },
      error,
    );
  }
}

/** The journals under `name`. What is no journal is passed over, a link or a pipe of its name too. */
export function journalsOf(dir: string, name: string): JournalFile[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const journal = entry.isFile() ? journalFile(entry.name) : undefined;
    return journal?.name === name ? [journal] : [];
  });
}

function journalFile(file: string): JournalFile | undefined {
  const match = FILE_NAME.exec(file);
  if (!match) return undefined;
  const [, name = "", sender = "", shard, scope = "", pid, started] = match;
  const owner = { scope, pid: Number(pid), started: Number(started) };
  return { file, name, sender, shard: Number(shard), owner };
}

/** This process. */
export const SELF: Owner = {
  scope: scopeOf(),
  pid: process.pid,
  started: startOf(process.pid) ?? 0,
};

/**
 * True when the owner is certainly dead. One of another boot or another container cannot be looked up;
 * `aliveAtMs`, read only then, is when it last said that it lives.
 */
export function isDead(owner: Owner, nowMs: number, aliveAtMs: () => number): boolean {
  if (owner.scope === SELF.scope) {
    if (process.platform === "linux") return startOf(owner.pid) !== owner.started;
    if (!answersSignals(owner.pid)) return true;
  }
  return nowMs - aliveAtMs() > LEASE_MS;
}

/** Takes a dead owner's journal over; undefined when another process was first. */
export function claim(dir: string, journal: JournalFile): string | undefined {
  const path = join(dir, journalFileName({ ...journal, owner: SELF }));
  try {
    renameSync(join(dir, journal.file), path);
    return path;
  } catch (error) {
    if (isNotThere(error)) return undefined;
    throw error;
  }
}

/** Takes what cannot be read out of the way, and keeps it. */
export function setAside(path: string): string {
  const bad = `${path}.bad`;
  renameSync(path, bad);
  return bad;
}

/** Appended to a journal's name while it is made. */
export const UNFINISHED = ".new";

/** Removes files that a process died over while it made them: nothing is lost with them. */
export function removeUnfinished(dir: string, name: string, nowMs: number): void {
  for (const file of readdirSync(dir)) {
    if (!file.endsWith(UNFINISHED)) continue;
    const journal = journalFile(file.slice(0, -UNFINISHED.length));
    if (journal?.name !== name) continue;
    const path = join(dir, file);
    const touchedMs = () => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? nowMs;
    if (isDead(journal.owner, nowMs, touchedMs)) rmSync(path, { force: true });
  }
}

function isNotThere(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** When a process was started; undefined when there is none, or no way to know (proc(5), field 22). */
function startOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The second field is the program's name, and may hold anything.
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
  } catch {
    return undefined;
  }
}

function scopeOf(): string {
  let scope = hostname();
  try {
    scope = `${readFileSync("/proc/sys/kernel/random/boot_id", "latin1")} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    // No Linux: process numbers are the host's.
  }
  return new Bun.CryptoHasher("sha256").update(scope).digest("hex").slice(0, 8);
}

function answersSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}
