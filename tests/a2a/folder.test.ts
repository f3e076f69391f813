/** Whose a journal is, and when its owner is certainly dead. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  claim,
  defaultOutboxDir,
  isDead,
  journalFileName,
  journalsOf,
  makeOutboxDir,
  type Owner,
  removeUnfinished,
  SELF,
  UNFINISHED,
} from "../../a2a/audit/folder.ts";
import { systemClock } from "../../core/mod.ts";
import { failureOf } from "../support/failure.ts";

const dir = mkdtempSync(join(tmpdir(), "petrel-folder-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const NOW_MS = 1_790_000_000_000;
const never = (): number => {
  throw new Error("asked for the lease of a process that can be looked up");
};

test.skipIf(process.platform !== "linux")("a process is known by its number and its start", () => {
  expect(isDead(SELF, NOW_MS, never)).toBe(false);
  // Its number was given to another one since.
  expect(isDead({ ...SELF, started: SELF.started + 1 }, NOW_MS, never)).toBe(true);
  const child = Bun.spawnSync(["true"]);
  expect(isDead({ ...SELF, pid: child.pid }, NOW_MS, never)).toBe(true);
});

test("of another boot or container it is dead when it was not heard of for a minute", () => {
  const owner: Owner = { ...SELF, scope: "ffffffff" };
  expect(isDead(owner, NOW_MS, () => NOW_MS - 59_000)).toBe(false);
  expect(isDead(owner, NOW_MS, () => NOW_MS - 61_000)).toBe(true);
  // A clock that was set back makes nobody dead.
  expect(isDead(owner, NOW_MS, () => NOW_MS + 3_600_000)).toBe(false);
});

test("a journal is found under its own name alone, and taken by one", () => {
  const dead: Owner = { ...SELF, started: 1 };
  for (const name of ["me", "other", "m"]) {
    writeFileSync(join(dir, journalFileName({ name, sender: "s-1", shard: 3, owner: dead })), "");
  }
  writeFileSync(join(dir, "me.journal"), "");
  symlinkSync(
    "/dev/zero",
    join(dir, journalFileName({ name: "me", sender: "l", shard: 0, owner: dead })),
  );
  const [found, ...more] = journalsOf(dir, "me");
  expect(found).toMatchObject({ name: "me", sender: "s-1", shard: 3, owner: dead });
  expect(more).toEqual([]);
  if (!found) throw new Error("not found");
  expect(claim(dir, found)).toBe(join(dir, journalFileName({ ...found, owner: SELF })));
  expect(claim(dir, found)).toBe(undefined);
  expect(journalsOf(dir, "me")).toMatchObject([{ owner: SELF }]);
});

test("what a process died over while it made it is removed, what one makes now is not", () => {
  const file = (owner: Owner) =>
    `${journalFileName({ name: "maker", sender: "s", shard: 0, owner })}${UNFINISHED}`;
  const left = [file(SELF), file({ ...SELF, scope: "ffffffff" })];
  for (const each of [...left, file({ ...SELF, started: 1 })]) writeFileSync(join(dir, each), "");
  const old = file({ ...SELF, scope: "eeeeeeee" });
  writeFileSync(join(dir, old), "");
  utimesSync(join(dir, old), new Date(0), new Date(0));
  removeUnfinished(dir, "maker", systemClock.nowMs());
  expect(
    readdirSync(dir)
      .filter((each) => each.startsWith("maker."))
      .sort(),
  ).toEqual(left.sort());
});

test("the folder: of the state, of the home, of temporary files; a file in its place is an error", async () => {
  expect(defaultOutboxDir({ XDG_STATE_HOME: "/s", HOME: "/h" })).toBe("/s/petrel/outbox");
  expect(defaultOutboxDir({ XDG_STATE_HOME: "", HOME: "/h" })).toBe(
    "/h/.local/state/petrel/outbox",
  );
  expect(defaultOutboxDir({})).toBe(join(tmpdir(), "petrel", "outbox"));
  writeFileSync(join(dir, "file"), "");
  const failure = await failureOf(Promise.try(() => makeOutboxDir(join(dir, "file", "outbox"))));
  expect(failure).toMatchObject({ code: "UNAVAILABLE" });
  expect(failure.message).toContain("audit.outbox_dir");
});
