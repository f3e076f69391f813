/** `petrel audit` without a system: its words, its refusals, and its keys. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask } from "./audit-ask.ts";

let dir: string;
const at = (name: string) => join(dir, name);

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "petrel-audit-"));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

test.each<[string, string[], RegExp]>([
  ["no verb", [], /say what: tail, tally, show, replay, verify, proof, gaps, export, keys/],
  ["an unknown verb", ["fly"], /cannot "fly": tail, tally/],
  ["an option for a verb", ["--json"], /say what: tail/],
  ["an unknown proof", ["proof", "guess"], /cannot "guess": inclusion, consistency, check/],
  ["an unknown key command", ["keys", "steal"], /cannot "steal": new, rotate, show, redaction/],
  ["show without an id", ["show"], /name a task or an envelope/],
  ["show of two", ["show", "a", "b"], /unexpected word "b"/],
  ["a replay of nothing", ["replay"], /--task T or --context C/],
  ["a replay of both", ["replay", "--task", "t", "--context", "c"], /--task T or --context C/],
  ["an empty id", ["replay", "--task", ""], /an id is empty/],
  ["a time without a zone", ["replay", "--task", "t", "--until", "2026-01-01T00:00:00"], /--until/],
  ["a sequence that is none", ["replay", "--task", "t", "--seq", "-1"], /--seq/],
  ["a sequence of words", ["tail", "--from", "soon"], /--from "soon" is not a whole number from 1/],
  ["two moments", ["replay", "--task", "t", "--seq", "1", "--until", "1795268386869"], /exclude/],
  ["a moment beside now", ["replay", "--task", "t", "--seq", "1", "--diff-live"], /--diff-live/],
  ["two sources", ["gaps", "--from-kafka", "--from-jetstream"], /exclude each other/],
  ["two sources of tail", ["tail", "--from-kafka", "--from-jetstream"], /exclude each other/],
  ["Kafka that is not configured", ["gaps", "--from-kafka"], /kafka is not configured/],
  ["verify without Kafka", ["verify"], /kafka is not configured/],
  ["a shard that is none", ["verify", "--shard", "x"], /--shard "x"/],
  ["a keyring that is not there", ["verify", "--keys", "/nonexistent"], /keyring \/nonexistent/],
  ["a proof of what", ["proof", "inclusion"], /--envelope ID or --leaf N/],
  ["a proof of two", ["proof", "inclusion", "--leaf", "1", "--envelope", "x"], /--envelope ID/],
  ["a growth without its end", ["proof", "consistency", "--from", "1"], /--from M and --to N/],
  ["a check of nothing", ["proof", "check"], /name a file/],
  ["an export without its span", ["export", "--from", "1795268386869"], /--from and --to/],
  [
    "a span that runs back",
    ["export", "--from", "1795268386869", "--to", "1795268386868"],
    /before/,
  ],
  ["keys without a place", ["keys", "new", "--keyring", "x"], /--key FILE is needed/],
  ["an unknown option", ["show", "t", "--wings"], /--wings/],
])("%s is refused in a line", async (_what, words, expected) => {
  const { code, err, out } = await ask(words);
  expect(err).toMatch(expected);
  expect([code, out]).toEqual([2, ""]);
});

describe("keys", () => {
  const make = () =>
    ask(["keys", "new", "--key", at("one"), "--keyring", at("ring"), "--name", "bank/AUDIT"]);

  test("a new key is for its owner alone; its keyring tells nothing of it", async () => {
    const { code, out } = await make();
    expect([code, out]).toEqual([0, expect.stringContaining("bank/AUDIT+")]);
    expect((await stat(at("one"))).mode & 0o777).toBe(0o600);
    // PRIVATE+KEY+name+hash+secret: the secret is base64 and may itself hold a "+".
    const secret = (await readFile(at("one"), "utf8")).trim().split("+").slice(4).join("+");
    expect(secret).toMatch(/^[A-Za-z0-9+/=]{40,}$/);
    expect(await readFile(at("ring"), "utf8")).not.toContain(secret);
    expect(out).not.toContain(secret);
  });

  test("neither a key nor a keyring is overwritten, and no half is left behind", async () => {
    await make();
    const [key, ring] = await Promise.all([at("one"), at("ring")].map((file) => readFile(file)));
    expect((await make()).code).not.toBe(0);
    const other = await ask(["keys", "new", "--key", at("two"), "--keyring", at("ring")]);
    expect([other.code, other.err]).toEqual([2, expect.stringContaining("nothing is overwritten")]);
    expect(await readFile(at("one"))).toEqual(key ?? Buffer.of());
    expect(await readFile(at("ring"))).toEqual(ring ?? Buffer.of());
    expect(await Bun.file(at("two")).exists()).toBe(false);
  });

  test("a rotation is in the keyring, with the time that both keys hold", async () => {
    await make();
    const words = [
      "keys",
      "rotate",
      "--key",
      at("one"),
      "--new",
      at("two"),
      "--keyring",
      at("ring"),
    ];
    expect((await ask([...words, "--overlap", "30m"])).code).toBe(0);
    const { out } = await ask(["keys", "show", "--keyring", at("ring"), "--json"]);
    const { keys } = JSON.parse(out) as { keys: { from: string; until?: string }[] };
    expect(keys).toHaveLength(2);
    const [old, next] = keys;
    expect(Date.parse(old?.until ?? "") - Date.parse(next?.from ?? "")).toBe(30 * 60_000);
    expect(next?.until).toBeUndefined();
    expect((await ask(["keys", "show", "--keyring", at("ring")])).out).toMatch(
      /until .*\n.*in use/,
    );
    // The old key is no longer the keyring's last.
    const again = await ask([...words.slice(0, 5), at("three"), "--keyring", at("ring")]);
    expect([again.code, again.err]).toEqual([5, expect.stringContaining("keyring")]);
    expect(await Bun.file(at("three")).exists()).toBe(false);
  });

  test("a redaction key is 32 random bytes for its owner alone", async () => {
    expect((await ask(["keys", "redaction", "--out", at("red")])).code).toBe(0);
    const { mode, size } = await stat(at("red"));
    expect([mode & 0o777, size]).toEqual([0o600, 32]);
    expect((await ask(["keys", "redaction", "--out", at("red")])).code).toBe(2);
  });
});

describe("a proof's file", () => {
  test.each<[string, string, RegExp]>([
    ["no JSON", "junk", /proof: .*JSON/],
    ["another thing", "{}", /proof: .*: proof:/],
    [
      "a hash that is none",
      '{"proof":"petrel.consistency/v1","tree":"t","first":{"size":1,"root":"x"},"second":{"size":1,"root":"x"},"hashes":[]}',
      /first\.root: must be base64 of 32 bytes/,
    ],
  ])("%s is refused with its place", async (_what, text, expected) => {
    await Bun.write(at("proof"), text);
    const { code, err } = await ask(["proof", "check", at("proof")]);
    expect([code, err]).toEqual([5, expect.stringMatching(expected)]);
  });

  test("that is not there is a usage error", async () => {
    expect(await ask(["proof", "check", at("none")])).toMatchObject({ code: 2, out: "" });
  });
});
