/**
 * Proofs as files: what a proof needs to be checked by somebody who has nothing else but a key. The note
 * of a signed checkpoint says the size and the root; an inclusion proof holds its record as well, so that
 * the leaf is made again from what it says.
 */
import { z } from "zod";
import { messageOf, PetrelError } from "../../core/mod.ts";
import type { KafkaRecord, StoredRecord } from "../kafka/record.ts";
import { leafHash } from "../proof/merkle.ts";
import { openCheckpoint, parseCheckpoint, type Verifier } from "../proof/note.ts";
import { verifyConsistency, verifyInclusion } from "../proof/proofs.ts";

const Hash = z.string().regex(/^[A-Za-z0-9+/]{43}=$/, "must be base64 of 32 bytes");
const Count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const Hashes = z.array(Hash).max(200);
/** A tree's size and root, and the signed checkpoint that says them, if there is one of that size. */
const Head = z.strictObject({ size: Count, root: Hash, checkpoint: z.string().optional() });
const Leaf = z.strictObject({
  topic: z.string(),
  partition: Count,
  offset: Count,
  key: z.string(),
  timestampMs: z.number(),
  headers: z.record(z.string(), z.string()),
  valueBase64: z.base64(),
});

const ProofFile = z.discriminatedUnion("proof", [
  z.strictObject({
    proof: z.literal("petrel.inclusion/v1"),
    tree: z.string(),
    leaf: Count,
    record: Leaf,
    head: Head,
    hashes: Hashes,
  }),
  z.strictObject({
    proof: z.literal("petrel.consistency/v1"),
    tree: z.string(),
    first: Head,
    second: Head,
    hashes: Hashes,
  }),
]);
export type ProofFile = z.infer<typeof ProofFile>;
export type ProofHead = z.infer<typeof Head>;

/** What a check found. */
export interface Checked {
  /** The hashes give the roots. */
  readonly holds: boolean;
  /** Checkpoints whose signatures hold, and that say these sizes and roots; keys by name and id. */
  readonly signedBy: readonly string[];
  /** What is wrong with the checkpoints, in words. */
  readonly problems: readonly string[];
}

/** Reads a proof's file. Throws PROTOCOL_VIOLATION naming the field. */
export function parseProof(text: string, place: string): ProofFile {
  try {
    return ProofFile.parse(JSON.parse(text));
  } catch (error) {
    const issue = error instanceof z.ZodError ? error.issues[0] : undefined;
    const what = issue ? `${issue.path.join(".") || "(root)"}: ${issue.message}` : messageOf(error);
    throw new PetrelError("PROTOCOL_VIOLATION", `proof: ${place}: ${what}`, { place }, error);
  }
}

/** A record as an inclusion proof holds it. */
export function leafOf(record: StoredRecord): z.infer<typeof Leaf> {
  const { topic, partition, offset, key, timestampMs, headers, value } = record;
  const valueBase64 = value.toString("base64");
  return { topic, partition, offset, key, timestampMs, headers: { ...headers }, valueBase64 };
}

/** Checks a proof with nothing else but keys; without keys signatures are not checked. */
export function checkProof(proof: ProofFile, verifiers: readonly Verifier[]): Checked {
  const hashes = proof.hashes.map(bytesOf);
  if (proof.proof === "petrel.inclusion/v1") {
    const { size, root } = proof.head;
    const leaf = leafHash(recordOf(proof.record));
    const holds = verifyInclusion(leaf, proof.leaf, size, bytesOf(root), hashes);
    return { holds, ...checkHeads([proof.head], proof.tree, verifiers) };
  }
  const { first, second } = proof;
  const roots = [bytesOf(first.root), bytesOf(second.root)] as const;
  const holds = verifyConsistency(first.size, roots[0], second.size, roots[1], hashes);
  return { holds, ...checkHeads([first, second], proof.tree, verifiers) };
}

function checkHeads(
  heads: readonly ProofHead[],
  tree: string,
  verifiers: readonly Verifier[],
): Pick<Checked, "signedBy" | "problems"> {
  const signedBy: string[] = [];
  const problems: string[] = [];
  for (const head of heads) {
    const place = `the checkpoint of ${head.size} leaves`;
    if (head.checkpoint === undefined) {
      problems.push(`there is no checkpoint of ${head.size} leaves: nobody signed this root`);
      continue;
    }
    try {
      const opened = verifiers.length > 0 && openCheckpoint(head.checkpoint, verifiers, place);
      const said = opened ? opened.checkpoint : unsigned(head.checkpoint, place);
      if (said.size !== head.size || !bytesOf(head.root).equals(said.root))
        problems.push(`${place} says another size or root than the proof`);
      else if (said.origin !== `petrel/${tree}`)
        problems.push(`${place} is of "${said.origin}", not of petrel/${tree}`);
      if (opened) signedBy.push(...opened.signedBy.map(({ name, keyId }) => `${name}+${keyId}`));
    } catch (error) {
      problems.push(messageOf(error));
    }
  }
  return { signedBy, problems };
}

function unsigned(note: string, place: string) {
  return parseCheckpoint(note.slice(0, note.lastIndexOf("\n\n") + 1), place);
}

function recordOf({ topic, key, timestampMs, headers, valueBase64 }: z.infer<typeof Leaf>) {
  const value = Buffer.from(valueBase64, "base64");
  return { topic, key, timestampMs, headers, value } satisfies KafkaRecord;
}

function bytesOf(base64: string): Buffer {
  return Buffer.from(base64, "base64");
}
