import { expect, test } from "bun:test";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  generateKey,
  loadSigner,
  loadVerifiers,
  newKeyring,
  parseSigner,
  parseVerifiers,
  rotateKey,
  saveKey,
} from "../../../bridge/proof/keys.ts";
import { openNote, signNote } from "../../../bridge/proof/note.ts";
import { verifyTrail } from "../../../bridge/proof/verify.ts";
import { buildTrail, clock, START_MS, streamOf, trailOf } from "./trail.ts";

const NAME = "petrel/AUDIT";
const HOUR_MS = 3_600_000;

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "petrel-keys-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A key with its signer. */
function makeKey(name = NAME) {
  const key = generateKey(name);
  return { ...key, signer: parseSigner(key.line, "test") };
}

type Key = ReturnType<typeof makeKey>;

/** `next` takes over at `fromMs`; both may sign for one hour. */
function rotated(ring: string, old: Key, next: Key, fromMs: number): string {
  const nextVkey = next.vkey;
  const times = { fromMs, untilMs: fromMs + HOUR_MS };
  return rotateKey(ring, { old: old.signer, next: next.signer, nextVkey, ...times });
}

test("a key is written for its owner alone, once, and signs after it was read", () =>
  inFolder(async (folder) => {
    const file = join(folder, "audit.key");
    const key = generateKey(NAME);
    await saveKey(file, key);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await expect(saveKey(file, generateKey(NAME))).rejects.toMatchObject({ code: "CONFLICT" });
    expect(await readFile(file, "utf8")).toBe(`${key.line}\n`);
    const note = signNote("text\n", [await loadSigner(file)]);
    const ring = parseVerifiers(newKeyring(key.vkey, START_MS), "ring");
    expect(openNote(note, ring, "here").signedBy).toEqual(ring);
  }));

test("a key file that others may use is refused, and its content is never told", () =>
  inFolder(async (folder) => {
    const file = join(folder, "audit.key");
    const key = generateKey(NAME);
    await saveKey(file, key);
    const secret = key.line.split("+").slice(4).join("+");
    for (const mode of [0o640, 0o604, 0o620, 0o666]) {
      await chmod(file, mode);
      const refused = loadSigner(file);
      await expect(refused).rejects.toMatchObject({ code: "CONFIG_INVALID" });
      await expect(refused).rejects.toThrow(`its mode is ${mode.toString(8)}`);
    }
    await chmod(file, 0o600);
    for (const text of [key.line.replace(/\+[0-9a-f]{8}\+/, "+00000000+"), secret, "", "x\0y"]) {
      await writeFile(file, text);
      const error: unknown = await loadSigner(file).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "CONFIG_INVALID" });
      expect(String(error)).not.toContain(secret);
      expect(JSON.stringify(error)).not.toContain(secret);
    }
    await expect(loadSigner(join(folder, "none"))).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
    expect(() => generateKey("a b")).toThrow("without spaces");
  }));

test("a keyring follows its rotations, from files too", () =>
  inFolder(async (folder) => {
    const [one, two, three] = [makeKey(), makeKey(), makeKey(`${NAME}-2027`)];
    const first = rotated(newKeyring(one.vkey, START_MS), one, two, START_MS + 5 * HOUR_MS);
    const ring = rotated(first, two, three, START_MS + 9 * HOUR_MS);
    await writeFile(join(folder, "keyring.json"), ring);
    const keys = await loadVerifiers([join(folder, "keyring.json")]);
    expect(keys.map(({ keyId, fromMs, untilMs }) => [keyId, fromMs, untilMs])).toEqual([
      [one.signer.keyId, START_MS, START_MS + 6 * HOUR_MS],
      [two.signer.keyId, START_MS + 5 * HOUR_MS, START_MS + 10 * HOUR_MS],
      [three.signer.keyId, START_MS + 9 * HOUR_MS, Number.POSITIVE_INFINITY],
    ]);
    await expect(loadVerifiers([join(folder, "none")])).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
  }));

test("a rotation that one of the two keys did not sign, or that was edited, is refused", () => {
  const [one, two, other] = [makeKey(), makeKey(), makeKey()];
  const ring = newKeyring(one.vkey, START_MS);
  const fromMs = START_MS + HOUR_MS;
  expect(() => rotated(ring, other, two, fromMs)).toThrow("it does not go on from");
  const twice = { old: one.signer, next: one.signer, nextVkey: two.vkey };
  expect(() => rotateKey(ring, { ...twice, fromMs, untilMs: fromMs })).toThrow("both keys");
  const early = { old: one.signer, next: two.signer, nextVkey: two.vkey };
  expect(() => rotateKey(ring, { ...early, fromMs, untilMs: fromMs - 1 })).toThrow("out of order");
  const good = rotated(ring, one, two, fromMs);
  const edited = good.replace("until 2026-11-20T02", "until 2036-11-20T02");
  expect(() => parseVerifiers(edited, "ring")).toThrow("ring: rotations[0]: line 7");
  const exchanged = good.replace(one.vkey, other.vkey);
  expect(() => parseVerifiers(exchanged, "ring")).toThrow("rotations[0]: it does not go on from");
});

test("a keyring that is none is refused", () => {
  for (const text of ["", "[]", '{"v":2}', newKeyring(makeKey().vkey, 0).replace('"v"', '"w"')])
    expect(() => parseVerifiers(text, "ring.json")).toThrow("keyring: ring.json");
});

test("an old trail with rotated keys verifies; a retired key does not sign on", async () => {
  const [one, two] = [makeKey(), makeKey()];
  const draft = buildTrail(1);
  const textOf = (note: string) => note.slice(0, note.indexOf("\n\n") + 1);
  const signedBy = (keys: readonly Key[]) =>
    draft.kafka.map(({ note, place }, at) => {
      const key = keys[Math.min(at, keys.length - 1)] ?? one;
      return { place, note: signNote(textOf(note), [key.signer]) };
    });
  const switchMs = START_MS + 4_000;
  const ring = rotateKey(newKeyring(one.vkey, START_MS), {
    old: one.signer,
    next: two.signer,
    nextVkey: two.vkey,
    fromMs: switchMs,
    untilMs: switchMs,
  });
  const verifiers = parseVerifiers(ring, "ring");
  const verifying = (keys: readonly Key[]) => {
    const checkpoints = streamOf(signedBy(keys));
    const trail = { ...trailOf(draft), checkpoints, outside: undefined, verifiers };
    return verifyTrail(trail, { clock });
  };
  expect(await verifying([one, two])).toMatchObject({ isIntact: true, checkpoints: 4 });
  expect((await verifying([one])).counts).toEqual({ "checkpoint-expired": 3 });
  expect((await verifying([two])).counts).toEqual({ "checkpoint-expired": 1 });
});
