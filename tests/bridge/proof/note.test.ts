import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { generateKey, parseSigner } from "../../../bridge/proof/keys.ts";
import {
  keyIdOf,
  openCheckpoint,
  openNote,
  parseCheckpoint,
  parseVkey,
  signCheckpoint,
  signNote,
} from "../../../bridge/proof/note.ts";
import { PetrelError } from "../../../core/mod.ts";
import { signer, verifier } from "./trail.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const AT_MS = Date.parse("2026-11-21T12:00:00.000Z");
const ROOT = new Uint8Array(Bun.SHA256.hash("root").buffer);
const CHECKPOINT = {
  origin: "petrel/AUDIT.0",
  size: 20_852_163,
  root: ROOT,
  atMs: AT_MS,
  nextSeq: 41,
};
const NOTE = signCheckpoint(CHECKPOINT, [signer]);
const LINES = [
  "petrel/AUDIT.0",
  "20852163",
  Buffer.from(ROOT).toString("base64"),
  "time 2026-11-21T12:00:00.000Z",
  "next 41",
];
const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");
const withLine = (at: number, line: string) => text(LINES.with(at, line));

test("a checkpoint is a note that other tools read", () => {
  const [body, signatures] = NOTE.split("\n\n");
  expect(`${body}\n`).toBe(text(LINES));
  expect(signatures).toMatch(/^— petrel\/AUDIT [A-Za-z0-9+/]+=*\n$/);
  const opened = openCheckpoint(NOTE, [verifier], "here");
  expect(opened.checkpoint).toEqual(CHECKPOINT);
  expect(opened.signedBy).toEqual([verifier]);
});

test("a note and a key of another implementation", () => {
  const vkey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
  const note =
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
  expect(openNote(note, [parseVkey(vkey, "here")], "here").text).toBe(
    "This is an example message.\n",
  );
});

test("the reference key of golang.org/x/mod/sumdb/note signs what its public key verifies", () => {
  const line = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
  const vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
  const note = signNote("If you think cryptography is the answer\n", [parseSigner(line, "here")]);
  expect(openNote(note, [parseVkey(vkey, "here")], "here").signedBy.length).toBe(1);
});

test("signatures of unknown keys are passed over, one that does not hold is not", () => {
  const other = generateKey("witness.example/w1");
  const both = signCheckpoint(CHECKPOINT, [parseSigner(other.line, "other"), signer]);
  expect(openCheckpoint(both, [verifier], "here").signedBy).toEqual([verifier]);
  const known = [verifier, parseVkey(other.vkey, "other")];
  expect(openCheckpoint(both, known, "here").signedBy.length).toBe(2);
  const forged = signNote("other text\n", [parseSigner(other.line, "other")]).split("\n\n")[1];
  const mixed = `${NOTE}${forged}`;
  expect(() => openCheckpoint(mixed, known, "here")).toThrow(
    'line 8: the signature of "witness.example/w1"',
  );
  expect(openCheckpoint(mixed, [verifier], "here").signedBy.length).toBe(1);
  expect(() => openCheckpoint(NOTE, known.slice(1), "here")).toThrow("signed by no known key");
  expect(() => openCheckpoint(NOTE, [], "here")).toThrow('by "petrel/AUDIT"');
});

test("no byte of a signed checkpoint can be another", () => {
  const bytes = Buffer.from(NOTE);
  const at = fc.nat({ max: bytes.length - 1 });
  const property = fc.property(at, fc.integer({ min: 1, max: 255 }), (place, flip) => {
    const edited = Buffer.from(bytes);
    edited[place] = (edited[place] ?? 0) ^ flip;
    expect(() => openCheckpoint(edited.toString("utf8"), [verifier], "here")).toThrow(PetrelError);
  });
  fc.assert(property, { seed, numRuns: 200 });
});

test("hostile text is refused with a PetrelError, whatever it is", () => {
  const line = fc.oneof(
    fc.constantFrom(...LINES, "", "— petrel/AUDIT AAAA", "— x", NOTE.split("\n")[6] ?? ""),
    fc.string({ unit: "binary", maxLength: 30 }),
  );
  const property = fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
    const note = lines.join("\n");
    try {
      expect(openCheckpoint(note, [verifier], "here").checkpoint).toEqual(CHECKPOINT);
    } catch (error) {
      if (!(error instanceof PetrelError)) throw error;
      expect(error.message).toContain("here");
    }
  });
  fc.assert(property, { seed, numRuns: 300 });
});

test("what is wrong is named with its line", () => {
  const cases: readonly [string, string][] = [
    [withLine(0, ""), "line 1: is empty"],
    [withLine(0, "petrel AUDIT"), "line 1: the origin"],
    [withLine(0, "petrel\u2003AUDIT"), "line 1: the origin"],
    [withLine(1, "020"), "line 2: is not a count"],
    [withLine(1, "-1"), "line 2: is not a count"],
    [withLine(1, "9007199254740993"), "line 2: is not a count"],
    [withLine(2, "AAAA"), "line 3: the root"],
    [withLine(2, `${LINES[2]}=`), "line 3: the root"],
    [withLine(2, (LINES[2] ?? "").replace(/.=$/, "Z=")), "line 3: the root"],
    [withLine(3, "time 2026-11-21"), "line 4: is not"],
    [withLine(3, "2026-11-21T12:00:00.000Z"), "line 4: is not"],
    [withLine(4, "next x"), "line 5: is not a count"],
    [text([...LINES, "", "more"]), "line 6: is empty"],
    [text(LINES).slice(0, -1), "no newline"],
  ];
  for (const [note, problem] of cases) {
    expect(() => parseCheckpoint(note, "here")).toThrow(problem);
  }
  expect(parseCheckpoint(text([...LINES, "an extension"]), "here")).toEqual(CHECKPOINT);
  const open = (note: string) => () => openCheckpoint(note, [verifier], "here");
  expect(open(text(LINES))).toThrow("there is no blank line");
  expect(open(`${text(LINES)}\n`)).toThrow("there is no signature");
  expect(open(NOTE.slice(0, -1))).toThrow("no newline at its end");
  expect(open(NOTE.replace("—", "--"))).toThrow("line 7: is not");
  expect(open(NOTE.replace("petrel", "pe\u0007trel"))).toThrow("line 1: holds a control");
  expect(open("x".repeat(200_000))).toThrow("more than");
  expect(open(`${text(LINES)}\n${"— a AAAAAAA=\n".repeat(101)}`)).toThrow("more than 100");
});

test("what could not be read back is not signed", () => {
  for (const over of [{ origin: "a b" }, { size: -1 }, { size: 0.5 }, { atMs: Number.NaN }])
    expect(() => signCheckpoint({ ...CHECKPOINT, ...over }, [signer])).toThrow("cannot be written");
});

test("a public key is read strictly", () => {
  const [, name = "", id = "", encoded = ""] = /^([^+]+)\+([^+]+)\+(.+)$/.exec(verifier.vkey) ?? [];
  expect(keyIdOf(name, Buffer.from(encoded, "base64").subarray(1))).toBe(id);
  const cases = [
    "",
    name,
    `${name}+00000000+${encoded}`,
    `${name}+${id}+AAAA`,
    `+${id}+${encoded}`,
  ];
  for (const vkey of cases) expect(() => parseVkey(vkey, "here")).toThrow("public key: here");
});
