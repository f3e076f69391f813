/**
 * Keys of the audit trail. A private key is one line in a file that its owner alone may read,
 * `PRIVATE+KEY+<name>+<key id>+<base64 of 0x01 || seed>`, as golang.org/x/mod/sumdb/note writes it.
 *
 * Public keys stand in a keyring, a JSON text: the first key, and one statement for each rotation. A
 * statement is a note that says which key follows which and when, signed by both: the old key hands
 * over, the new one accepts. So an auditor who was given the first key, once, can check every later one
 * without trusting who keeps the file; two signatures on each checkpoint would not tell that to those
 * who read the trail after the overlap.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { z } from "zod";
import { messageOf, PetrelError } from "../../core/mod.ts";
import {
  base64,
  formatVkey,
  isKeyName,
  keyIdOf,
  openNote,
  parseKeyLine,
  parseVkey,
  type Signer,
  signNote,
  type Verifier,
} from "./note.ts";

export interface NewKey {
  /** Private; for {@link saveKey} alone. */
  readonly line: string;
  /** Public: `<name>+<key id>+<base64>`. */
  readonly vkey: string;
}

const PRIVATE = "PRIVATE+KEY+";
const ROTATION = "petrel-key-rotation/v1";
const KEY_FILE_BYTES_MAX = 4_096;
const ROTATIONS_MAX = 1_000;
/** PKCS#8 of an Ed25519 key up to its seed: RFC 8410. */
const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
/** Bits of a mode that let others than the owner at a file. */
const OTHERS = 0o077;

const Keyring = z.strictObject({
  v: z.literal(1),
  /** The first key, by which all others are known, and the time it was taken into use. */
  first: z.strictObject({ key: z.string(), from: z.iso.datetime() }),
  /** Statements, oldest first. */
  rotations: z.array(z.string()).max(ROTATIONS_MAX),
});

/** Makes a key. `name` is a C2SP key name such as `petrel/AUDIT`; throws USAGE when it is none. */
export function generateKey(name: string): NewKey {
  if (!isKeyName(name))
    throw new PetrelError("USAGE", `key name "${name}": it must be without spaces and +`);
  const { privateKey } = generateKeyPairSync("ed25519");
  const seed = privateKey.export({ format: "der", type: "pkcs8" }).subarray(PKCS8_PREFIX.length);
  const publicKey = publicBytes(privateKey);
  const encoded = base64(Buffer.concat([Buffer.of(1), seed]));
  return {
    line: `${PRIVATE}${name}+${keyIdOf(name, publicKey)}+${encoded}`,
    vkey: formatVkey(name, publicKey),
  };
}

/** Writes a new private key, for its owner alone. Throws CONFLICT when the file is there already. */
export async function saveKey(file: string, key: NewKey): Promise<void> {
  try {
    const handle = await open(file, "wx", 0o600);
    try {
      await handle.writeFile(`${key.line}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
    const problem = isThere ? "the file is there already; keys are never replaced" : reason(error);
    throw new PetrelError(isThere ? "CONFLICT" : "UNAVAILABLE", `key file ${file}: ${problem}`, {
      file,
    });
  }
}

/**
 * Reads a private key. Throws CONFIG_INVALID when the file cannot be read, holds no key, or others than
 * its owner may read or write it; the message never holds what the file does.
 */
export async function loadSigner(file: string): Promise<Signer> {
  const handle = await open(file, "r").catch((error: unknown) => {
    throw unusable(file, reason(error));
  });
  try {
    const { mode, size } = await handle.stat();
    if ((mode & OTHERS) !== 0) {
      const octal = (mode & 0o777).toString(8);
      throw unusable(file, `its mode is ${octal}: others than its owner may use it; chmod 600`);
    }
    if (size > KEY_FILE_BYTES_MAX) throw unusable(file, "it holds no private key");
    return parseSigner(await handle.readFile("utf8"), file);
  } finally {
    await handle.close();
  }
}

/** Reads a private key from its line; errors as {@link loadSigner} has them. */
export function parseSigner(text: string, place: string): Signer {
  const line = text.trimEnd();
  if (!line.startsWith(PRIVATE)) throw unusable(place, `it does not begin with ${PRIVATE}`);
  let parsed: ReturnType<typeof parseKeyLine>;
  try {
    parsed = parseKeyLine(line.slice(PRIVATE.length), place);
  } catch {
    throw unusable(place, `it is not ${PRIVATE}<name>+<key id>+<base64>`);
  }
  const { name, keyId, key: seed } = parsed;
  const der = Buffer.concat([PKCS8_PREFIX, seed]);
  const privateKey = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  if (keyIdOf(name, publicBytes(privateKey)) !== keyId)
    throw unusable(place, "its key id is not that of the key");
  return { name, keyId, sign: (bytes) => sign(null, bytes, privateKey) };
}

/** A keyring that knows one key, used from `fromMs` on. */
export function newKeyring(vkey: string, fromMs: number): string {
  parseVkey(vkey, "first key");
  return formatKeyring({ v: 1, first: { key: vkey, from: iso(fromMs) }, rotations: [] });
}

export interface Rotation {
  readonly old: Signer;
  readonly next: Signer;
  readonly nextVkey: string;
  /** The next key signs from here on. */
  readonly fromMs: number;
  /** The old key signs no longer; not before `fromMs`, so that no time is without a key. */
  readonly untilMs: number;
}

/**
 * Adds a rotation to a keyring and returns the new text. Throws PROTOCOL_VIOLATION or UNAUTHENTICATED when
 * the old key is not the keyring's last, or the times are out of order.
 */
export function rotateKey(keyring: string, rotation: Rotation): string {
  const { old, next, nextVkey, fromMs, untilMs } = rotation;
  const text = `${ROTATION}\nold ${old.name}+${old.keyId}\nnew ${nextVkey}\nfrom ${iso(fromMs)}\nuntil ${iso(untilMs)}\n`;
  const ring = readKeyring(keyring, "keyring");
  const rotated = { ...ring, rotations: [...ring.rotations, signNote(text, [old, next])] };
  const formatted = formatKeyring(rotated);
  parseVerifiers(formatted, "keyring");
  return formatted;
}

/**
 * Reads a keyring: every key with the time it signs in, oldest first, each rotation checked against the
 * keys before it. Throws PROTOCOL_VIOLATION or UNAUTHENTICATED naming `place` and the rotation.
 */
export function parseVerifiers(text: string, place: string): Verifier[] {
  const { first, rotations } = readKeyring(text, place);
  const keys = [parseVkey(first.key, `${place}: first.key`, Date.parse(first.from))];
  for (const [index, note] of rotations.entries()) {
    const at = `${place}: rotations[${index}]`;
    const old = keys.pop();
    if (!old) throw notRotation(at, "there is no key before it");
    keys.push(...followed(old, note, at));
  }
  return keys;
}

/** Reads keyrings from files, each with its own chain. Throws CONFIG_INVALID when one cannot be read. */
export async function loadVerifiers(files: readonly string[]): Promise<Verifier[]> {
  const read = files.map(async (file) => {
    const text = await readFile(file, "utf8").catch((error: unknown) => {
      throw new PetrelError("CONFIG_INVALID", `keyring ${file}: ${reason(error)}`, { path: file });
    });
    return parseVerifiers(text, file);
  });
  return (await Promise.all(read)).flat();
}

/** The old key, ended, and the new one, as their common statement says. */
function followed(old: Verifier, note: string, place: string): [Verifier, Verifier] {
  const [, oldId, vkey = "", from = "", until = ""] =
    /^petrel-key-rotation\/v1\nold (\S+)\nnew (\S+)\nfrom (\S+)\nuntil (\S+)\n\n/u.exec(note) ?? [];
  if (oldId !== `${old.name}+${old.keyId}`)
    throw notRotation(place, `it does not go on from ${old.name}+${old.keyId}`);
  const next = parseVkey(vkey, place);
  const { signedBy } = openNote(note, [old, next], place);
  if (!signedBy.includes(old) || !signedBy.includes(next))
    throw new PetrelError("UNAUTHENTICATED", `keyring: ${place}: it needs both keys' signatures`, {
      place,
    });
  const [fromMs, untilMs] = [Date.parse(from), Date.parse(until)];
  if (!(old.fromMs <= fromMs && fromMs <= untilMs))
    throw notRotation(place, "its times are out of order");
  return [parseVkey(old.vkey, place, old.fromMs, untilMs), parseVkey(vkey, place, fromMs)];
}

function readKeyring(text: string, place: string): z.infer<typeof Keyring> {
  try {
    return Keyring.parse(JSON.parse(text));
  } catch (error) {
    throw new PetrelError("PROTOCOL_VIOLATION", `keyring: ${place}: ${messageOf(error)}`, {
      place,
    });
  }
}

function formatKeyring(keyring: z.infer<typeof Keyring>): string {
  return `${JSON.stringify(keyring, null, 2)}\n`;
}

function publicBytes(privateKey: KeyObject): Buffer {
  return createPublicKey(privateKey).export({ format: "der", type: "spki" }).subarray(-32);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** What the system says; of errors about a file that is its path and its code, never its content. */
function reason(error: unknown): string {
  return messageOf(error, 200);
}

function unusable(file: string, problem: string): PetrelError {
  return new PetrelError("CONFIG_INVALID", `private key ${file}: ${problem}`, { path: file });
}

function notRotation(place: string, problem: string): PetrelError {
  return new PetrelError("PROTOCOL_VIOLATION", `keyring: ${place}: ${problem}`, { place });
}
