/**
 * One process at a time: a folder, made by `mkdir`, that names its owner. A lock whose owner is gone
 * is taken away. It saves double work; what it guards is safe without it, because every installation
 * is one rename.
 */
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { messageOf, PetrelError, systemClock } from "../../core/mod.ts";

const POLL_MS = 200;
/** A lock without an owner's name is one whose maker died between two calls, if it is this old. */
const NAMELESS_STALE_MS = 10_000;

export interface LockOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Called once, when somebody else holds the lock. */
  readonly onWait: (owner: string) => void;
}

/** Runs `body` while this process holds the lock folder `dir`; rejects CONFLICT after `timeoutMs`. */
export async function withLock<T>(
  dir: string,
  options: LockOptions,
  body: () => Promise<T>,
): Promise<T> {
  await acquire(dir, options);
  try {
    return await body();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function acquire(dir: string, options: LockOptions): Promise<void> {
  const deadlineMs = systemClock.nowMs() + options.timeoutMs;
  let hasWaited = false;
  while (!(await tryAcquire(dir))) {
    const owner = await staleOwner(dir);
    if (owner.isStale) {
      await takeAway(dir);
      continue;
    }
    if (!hasWaited) options.onWait(owner.name);
    hasWaited = true;
    if (systemClock.nowMs() > deadlineMs) {
      throw new PetrelError("CONFLICT", `${owner.name} holds ${dir} for too long`, { dir });
    }
    await systemClock.sleep(POLL_MS, options.signal);
  }
}

async function tryAcquire(dir: string): Promise<boolean> {
  try {
    await mkdir(dir);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw new PetrelError("UNAVAILABLE", `cannot write to ${dir}: ${messageOf(error)}`, { dir });
  }
  await writeFile(join(dir, "owner"), `${process.pid} ${hostname()}`);
  return true;
}

async function staleOwner(dir: string): Promise<{ isStale: boolean; name: string }> {
  const text = await readFile(join(dir, "owner"), "utf8").catch(() => "");
  const [pid, host] = text.split(" ");
  if (pid === undefined || host === undefined) {
    const made = await stat(dir).catch(() => undefined);
    const isStale = made !== undefined && systemClock.nowMs() - made.mtimeMs > NAMELESS_STALE_MS;
    return { isStale, name: "another process" };
  }
  return {
    isStale: host === hostname() && !isAlive(Number(pid)),
    name: `process ${pid} on ${host}`,
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** A rename, so that of two processes that both see a stale lock only one takes it away. */
async function takeAway(dir: string): Promise<void> {
  const aside = `${dir}.stale-${process.pid}-${systemClock.nowMs()}`;
  const isMine = await rename(dir, aside).then(
    () => true,
    () => false,
  );
  if (isMine) await rm(aside, { recursive: true, force: true });
}
