import { expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { withLock } from "../../deploy/programs/lock.ts";

const signal = new AbortController().signal;

async function lockDir(): Promise<AsyncDisposable & { path: string }> {
  const dir = await mkdtemp(join(tmpdir(), "petrel-lock-"));
  const remove = () => rm(dir, { recursive: true, force: true });
  return { path: join(dir, ".lock"), [Symbol.asyncDispose]: remove };
}

test("bodies under one lock never run at once", async () => {
  await using lock = await lockDir();
  let inside = 0;
  let insideMax = 0;
  const body = async () => {
    inside++;
    insideMax = Math.max(insideMax, inside);
    await Bun.sleep(1);
    inside--;
  };
  const options = { timeoutMs: 30_000, signal, onWait: () => {} };
  await Promise.all(Array.from({ length: 4 }, () => withLock(lock.path, options, body)));
  expect(insideMax).toBe(1);
});

test("the lock of a process that is gone is taken over", async () => {
  await using lock = await lockDir();
  const gone = Bun.spawn(["true"]);
  await gone.exited;
  await mkdir(lock.path);
  await writeFile(join(lock.path, "owner"), `${gone.pid} ${hostname()}`);
  const options = { timeoutMs: 0, signal, onWait: () => {} };
  expect(await withLock(lock.path, options, async () => "done")).toBe("done");
});

test("the lock of a living process is waited for, and given up at the deadline", async () => {
  await using lock = await lockDir();
  await mkdir(lock.path);
  await writeFile(join(lock.path, "owner"), `${process.pid} ${hostname()}`);
  const waits: string[] = [];
  const options = { timeoutMs: 0, signal, onWait: (owner: string) => waits.push(owner) };
  const failure: unknown = await withLock(lock.path, options, async () => {}).catch((e) => e);
  expect(failure).toMatchObject({ code: "CONFLICT" });
  expect(waits).toEqual([`process ${process.pid} on ${hostname()}`]);
});
