/** `petrel audit keys`: the keys that sign checkpoints, and the one that redaction tokens are made with. */
import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import {
  generateKey,
  loadSigner,
  newKeyring,
  parseSigner,
  parseVerifiers,
  rotateKey,
  saveKey,
} from "../../bridge/mod.ts";
import { PetrelError, parseDurationMs, systemClock } from "../../core/mod.ts";
import { readArgs } from "../args.ts";
import { oneLine } from "../render/text.ts";
import { createFile, readText, replaceText } from "./files.ts";
import { facts, printLine, table, timeWords, verbOf } from "./words.ts";

const NEW = {
  key: { type: "string" },
  keyring: { type: "string" },
  name: { type: "string" },
} as const;
const ROTATE = {
  key: { type: "string" },
  new: { type: "string" },
  keyring: { type: "string" },
  overlap: { type: "string" },
} as const;
const SHOW = { keyring: { type: "string" }, json: { type: "boolean" } } as const;
const REDACTION = { out: { type: "string" } } as const;

/** The bridge is told of its new key within this time; until then both may sign. */
const OVERLAP = "1h";
const NAME = "petrel/AUDIT";
const REDACTION_BYTES = 32;

export async function run(argv: readonly string[]): Promise<number> {
  const verb = verbOf(argv, "petrel audit keys", ["new", "rotate", "show", "redaction"]);
  await { new: create, rotate, show, redaction }[verb](argv.slice(1));
  return 0;
}

async function create(argv: readonly string[]): Promise<void> {
  const { values } = readArgs(argv, NEW);
  const [file, keyring] = [needed(values.key, "--key"), needed(values.keyring, "--keyring")];
  const key = generateKey(values.name ?? NAME);
  const nowMs = systemClock.nowMs();
  await saveKey(file, key);
  try {
    await createFile(keyring, newKeyring(key.vkey, nowMs), 0o644);
  } catch (error) {
    // Nobody could check what such a key signs.
    await rm(file, { force: true });
    throw error;
  }
  printLine(
    facts([
      ["private key", `${oneLine(file, 300)} · for the bridge: bridge.checkpoint.key_file`],
      ["keyring", `${oneLine(keyring, 300)} · for whoever verifies: --keys`],
      ["public key", `${key.vkey} · give it to your auditor now, by another way`],
    ]),
  );
}

async function rotate(argv: readonly string[]): Promise<void> {
  const { values } = readArgs(argv, ROTATE);
  const [oldFile, newFile] = [needed(values.key, "--key"), needed(values.new, "--new")];
  const keyring = needed(values.keyring, "--keyring");
  const overlapMs = parseDurationMs(values.overlap ?? OVERLAP, "--overlap");
  const old = await loadSigner(oldFile);
  const ring = await readText(keyring, "--keyring");
  const key = generateKey(old.name);
  const fromMs = systemClock.nowMs();
  const next = parseSigner(key.line, newFile);
  const untilMs = fromMs + overlapMs;
  const rotated = rotateKey(ring, { old, next, nextVkey: key.vkey, fromMs, untilMs });
  await saveKey(newFile, key);
  await replaceText(keyring, rotated);
  printLine(
    facts([
      [
        "new key",
        `${oneLine(newFile, 300)} · set bridge.checkpoint.key_file to it and restart the bridge`,
      ],
      ["old key", `signs until ${timeWords(untilMs)}; destroy ${oneLine(oldFile, 300)} after that`],
      ["keyring", `${oneLine(keyring, 300)} · holds the hand-over, signed by both keys`],
      ["public key", key.vkey],
    ]),
  );
}

async function show(argv: readonly string[]): Promise<void> {
  const { values } = readArgs(argv, SHOW);
  const file = needed(values.keyring, "--keyring");
  const verifiers = parseVerifiers(await readText(file, "--keyring"), file);
  const rows = verifiers.map(({ name, keyId, vkey, fromMs, untilMs }) => ({
    key: `${name}+${keyId}`,
    from: timeWords(fromMs),
    until: Number.isFinite(untilMs) ? timeWords(untilMs) : undefined,
    vkey,
  }));
  if (values.json) printLine(JSON.stringify({ keys: rows }));
  else
    printLine(
      table(
        rows.map(({ key, from, until, vkey }) => [
          key,
          `from ${from}`,
          until ? `until ${until}` : "in use",
          vkey,
        ]),
      ),
    );
}

/** A key for the tokens that stand for secrets: with another one, tokens of before and after do not join. */
async function redaction(argv: readonly string[]): Promise<void> {
  const { values } = readArgs(argv, REDACTION);
  const file = needed(values.out, "--out");
  await createFile(file, randomBytes(REDACTION_BYTES), 0o600);
  printLine(`${oneLine(file, 300)} · for audit.redaction.key_file, the same on every bridge`);
}

function needed(value: string | undefined, option: string): string {
  if (value !== undefined && value !== "") return value;
  throw new PetrelError("USAGE", `${option} FILE is needed`, { path: option.replace(/^--/, "") });
}
