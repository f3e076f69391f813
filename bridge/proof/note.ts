/**
 * Checkpoints as C2SP signed notes (c2sp.org/signed-note, c2sp.org/tlog-checkpoint):
 *
 *     petrel/AUDIT.0
 *     20852163
 *     CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
 *     time 2026-11-21T12:00:00.000Z
 *     next 1841002
 *
 *     — petrel/AUDIT Az3grlgtzPICa5OS8npVmf1Myq/5IZ…
 *
 * Origin, leaves, root; then extension lines, which the format allows: when it was signed, and the
 * JetStream sequence to go on from. A note read back is hostile until a signature of a known key holds.
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { PetrelError } from "../../core/mod.ts";
import { HASH_BYTES } from "../ledger.ts";

export interface Checkpoint {
  /** `petrel/<tree>`; {@link originOf} makes it. */
  readonly origin: string;
  /** Leaves in the tree. */
  readonly size: number;
  readonly root: Uint8Array;
  /** When it was signed: milliseconds since the epoch, by the signer's clock. */
  readonly atMs: number;
  /** The first JetStream sequence whose records are not in the tree. */
  readonly nextSeq: number;
}

/** Signs text. The private key stays inside. */
export interface Signer {
  readonly name: string;
  /** Eight hexadecimal digits. */
  readonly keyId: string;
  sign(text: Uint8Array): Uint8Array;
}

/** A public key, and the time it may sign in. */
export interface Verifier {
  readonly name: string;
  readonly keyId: string;
  /** `<name>+<key id>+<base64>`, as C2SP tools exchange it. */
  readonly vkey: string;
  /** Milliseconds since the epoch; from this on. */
  readonly fromMs: number;
  /** Up to, and without, this; Infinity while the key is in use. */
  readonly untilMs: number;
  verify(text: Uint8Array, signature: Uint8Array): boolean;
}

export interface OpenedNote {
  readonly text: string;
  /** Keys whose signatures hold: one at least. */
  readonly signedBy: readonly Verifier[];
}

export interface OpenedCheckpoint extends OpenedNote {
  readonly checkpoint: Checkpoint;
}

const ED25519 = 1;
const KEY_ID_BYTES = 4;
const ED25519_KEY_BYTES = 32;
/** Room for the 16 signatures every verifier must accept, post-quantum ones included. */
const NOTE_CHARS_MAX = 131_072;
const SIGNATURES_MAX = 100;
/** SubjectPublicKeyInfo of an Ed25519 key up to the key itself: RFC 8410. */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

const SIGNATURE_LINE = /^— (\S+) (\S+)$/u;
const encoder = new TextEncoder();

export function originOf(tree: string): string {
  return `petrel/${tree}`;
}

/** The note text of a checkpoint: what is signed. */
export function checkpointText(checkpoint: Checkpoint): string {
  const { origin, size, root, atMs, nextSeq } = checkpoint;
  const time = new Date(atMs).toISOString();
  return `${origin}\n${size}\n${base64(root)}\ntime ${time}\nnext ${nextSeq}\n`;
}

/** A checkpoint as a signed note. Throws INTERNAL when it could not be read back. */
export function signCheckpoint(checkpoint: Checkpoint, signers: readonly Signer[]): string {
  let text: string;
  try {
    text = checkpointText(checkpoint);
    parseCheckpoint(text, "checkpoint");
  } catch (error) {
    throw new PetrelError("INTERNAL", "checkpoint: it cannot be written as a note", {}, error);
  }
  return signNote(text, signers);
}

/** Signs a text that ends in a newline. */
export function signNote(text: string, signers: readonly Signer[]): string {
  const bytes = encoder.encode(text);
  const lines = signers.map((signer) => {
    const keyId = Buffer.from(signer.keyId, "hex");
    return `— ${signer.name} ${base64(Buffer.concat([keyId, signer.sign(bytes)]))}\n`;
  });
  return `${text}\n${lines.join("")}`;
}

/**
 * Reads a signed checkpoint. Throws PROTOCOL_VIOLATION naming `place`, the line and what is wrong with it,
 * UNAUTHENTICATED when no known key signed it or the signature of a known key does not hold.
 */
export function openCheckpoint(
  note: string,
  verifiers: readonly Verifier[],
  place: string,
): OpenedCheckpoint {
  const opened = openNote(note, verifiers, place);
  return { ...opened, checkpoint: parseCheckpoint(opened.text, place) };
}

/** Reads a signed note and checks its signatures; errors as {@link openCheckpoint} has them. */
export function openNote(note: string, verifiers: readonly Verifier[], place: string): OpenedNote {
  const { text, signatures } = splitNote(note, place);
  const bytes = encoder.encode(text);
  const signedBy = new Set<Verifier>();
  for (const { name, keyId, signature, line } of signatures) {
    const known = verifiers.filter((one) => one.name === name && one.keyId === keyId);
    if (known.length === 0) continue;
    const holds = known.find((one) => one.verify(bytes, signature));
    if (!holds)
      throw unsigned(place, `line ${line}: the signature of "${name}" (${keyId}) does not hold`);
    signedBy.add(holds);
  }
  if (signedBy.size === 0) {
    const by = signatures.map(({ name, keyId }) => `"${name}" (${keyId})`).slice(0, 5);
    throw unsigned(place, `signed by no known key, but by ${by.join(", ")}`);
  }
  return { text, signedBy: [...signedBy] };
}

interface SignatureLine {
  readonly name: string;
  readonly keyId: string;
  readonly signature: Uint8Array;
  /** Counted from 1. */
  readonly line: number;
}

function splitNote(
  note: string,
  place: string,
): { text: string; signatures: readonly SignatureLine[] } {
  if (note.length > NOTE_CHARS_MAX)
    throw malformed(place, 1, `the note has more than ${NOTE_CHARS_MAX} characters`);
  for (const [index, line] of note.split("\n").entries())
    if (hasControl(line) || !line.isWellFormed())
      throw malformed(place, index + 1, "holds a control character or is no Unicode text");
  const end = note.lastIndexOf("\n\n");
  if (end < 1) throw malformed(place, 1, "there is no blank line between text and signatures");
  const text = note.slice(0, end + 1);
  const firstLine = text.split("\n").length + 1;
  const lines = note.slice(end + 2).split("\n");
  if (lines.pop() !== "") throw malformed(place, firstLine + lines.length, "no newline at its end");
  if (lines.length === 0) throw malformed(place, firstLine, "there is no signature");
  if (lines.length > SIGNATURES_MAX)
    throw malformed(place, firstLine + SIGNATURES_MAX, `more than ${SIGNATURES_MAX} signatures`);
  const signatures = lines.map((line, index) => parseSignature(line, firstLine + index, place));
  return { text, signatures };
}

function parseSignature(text: string, line: number, place: string): SignatureLine {
  const [, name = "", encoded = ""] = SIGNATURE_LINE.exec(text) ?? [];
  if (!isKeyName(name)) throw malformed(place, line, 'is not "— <key name> <base64>"');
  const bytes = fromBase64(encoded);
  if (!bytes || bytes.length <= KEY_ID_BYTES)
    throw malformed(place, line, "the signature is not base64 of a key id and a signature");
  const keyId = bytes.subarray(0, KEY_ID_BYTES).toString("hex");
  return { name, keyId, signature: bytes.subarray(KEY_ID_BYTES), line };
}

/** Reads the text of a checkpoint, unsigned. Throws PROTOCOL_VIOLATION naming the line. */
export function parseCheckpoint(text: string, place: string): Checkpoint {
  const lines = text.split("\n");
  if (lines.pop() !== "") throw malformed(place, lines.length + 1, "no newline at its end");
  const empty = lines.indexOf("");
  if (empty >= 0) throw malformed(place, empty + 1, "is empty");
  const [origin = "", size = "", root = "", time = "", next = ""] = lines;
  if (!isKeyName(origin)) throw malformed(place, 1, "the origin is missing, or holds a space or +");
  const rootBytes = fromBase64(root);
  if (rootBytes?.length !== HASH_BYTES)
    throw malformed(place, 3, "the root is not base64 of 32 bytes");
  return {
    origin,
    size: parseCount(size, place, 2),
    root: new Uint8Array(rootBytes),
    atMs: parseTime(time.startsWith("time ") ? time.slice(5) : "", place, 4),
    nextSeq: parseCount(next.startsWith("next ") ? next.slice(5) : "", place, 5),
  };
}

function parseCount(text: string, place: string, line: number): number {
  const count = /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(count)) throw malformed(place, line, "is not a count in decimal");
  return count;
}

function parseTime(text: string, place: string, line: number): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== text)
    throw malformed(place, line, 'is not "time <YYYY-MM-DDThh:mm:ss.sssZ>"');
  return ms;
}

/** The key id of C2SP: the first four bytes of SHA-256(name || "\n" || 0x01 || public key), in hexadecimal. */
export function keyIdOf(name: string, publicKey: Uint8Array): string {
  const hashed = Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(ED25519), publicKey]);
  return Bun.SHA256.hash(hashed, "hex").slice(0, 2 * KEY_ID_BYTES);
}

/** The public key as one line: `<name>+<key id>+<base64 of 0x01 || key>`. */
export function formatVkey(name: string, publicKey: Uint8Array): string {
  const encoded = base64(Buffer.concat([Buffer.of(ED25519), publicKey]));
  return `${name}+${keyIdOf(name, publicKey)}+${encoded}`;
}

/** Reads a public key of that form. Throws PROTOCOL_VIOLATION naming `place`. */
export function parseVkey(
  vkey: string,
  place: string,
  fromMs = Number.NEGATIVE_INFINITY,
  untilMs = Number.POSITIVE_INFINITY,
): Verifier {
  const { name, keyId, key } = parseKeyLine(vkey, place);
  if (keyIdOf(name, key) !== keyId) throw wrongKey(place, "its key id is not that of the key");
  const der = Buffer.concat([SPKI_PREFIX, key]);
  let publicKey: KeyObject;
  try {
    publicKey = createPublicKey({ key: der, format: "der", type: "spki" });
  } catch {
    throw wrongKey(place, "it is no point of the curve");
  }
  return {
    name,
    keyId,
    vkey,
    fromMs,
    untilMs,
    verify: (text, signature) => verify(null, text, publicKey, signature),
  };
}

/** Takes `<name>+<key id>+<base64 of 0x01 || 32 bytes>` apart; errors never hold the key. */
export function parseKeyLine(
  line: string,
  place: string,
): { name: string; keyId: string; key: Buffer } {
  const [, name = "", keyId = "", encoded = ""] =
    /^([^+]+)\+([0-9a-f]{8})\+(.+)$/u.exec(line) ?? [];
  if (!isKeyName(name)) throw wrongKey(place, "it is not <name>+<key id>+<base64>");
  const bytes = fromBase64(encoded);
  if (bytes?.length !== 1 + ED25519_KEY_BYTES || bytes[0] !== ED25519)
    throw wrongKey(place, "it is not an Ed25519 key");
  return { name, keyId, key: bytes.subarray(1) };
}

/** A key name of C2SP: not empty, without Unicode spaces and plus signs. */
export function isKeyName(name: string): boolean {
  return name.length > 0 && name.length <= 300 && !/[\s+]/u.test(name) && !hasControl(name);
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}

/** Strict: what would not be written so is not read so. */
function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return text !== "" && bytes.toString("base64") === text ? bytes : undefined;
}

function hasControl(line: string): boolean {
  for (let at = 0; at < line.length; at++) if (line.charCodeAt(at) < 0x20) return true;
  return false;
}

function malformed(place: string, line: number, problem: string): PetrelError {
  return new PetrelError("PROTOCOL_VIOLATION", `signed note: ${place}: line ${line}: ${problem}`, {
    place,
    line,
  });
}

function wrongKey(place: string, problem: string): PetrelError {
  return new PetrelError("PROTOCOL_VIOLATION", `public key: ${place}: ${problem}`, { place });
}

function unsigned(place: string, problem: string): PetrelError {
  return new PetrelError("UNAUTHENTICATED", `signed note: ${place}: ${problem}`, { place });
}
