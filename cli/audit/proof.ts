/** `petrel audit proof`: proofs for somebody else, and their check, which needs nothing but the file and a key. */
import {
  checkProof,
  isUnreadable,
  type KafkaTrail,
  leafOf,
  loadVerifiers,
  type PlacedNote,
  type ProofFile,
  type ProofHead,
  parseCheckpoint,
  parseProof,
  proveConsistency,
  proveInclusion,
  type TrailEntry,
  type TreeOfShard,
} from "../../bridge/mod.ts";
import { PetrelError } from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { colour, count, oneLine } from "../render/text.ts";
import { readText, textOut } from "./files.ts";
import { openKafka } from "./open.ts";
import { progress } from "./progress.ts";
import { numberOf, printLine, verbOf, warn } from "./words.ts";

const OPTIONS = {
  ...CONFIG_OPTIONS,
  envelope: { type: "string" },
  leaf: { type: "string" },
  size: { type: "string" },
  from: { type: "string" },
  to: { type: "string" },
  shard: { type: "string" },
  out: { type: "string" },
} as const;
const CHECK_OPTIONS = {
  keys: { type: "string", multiple: true },
  json: { type: "boolean" },
} as const;

const DOES_NOT_HOLD = 1;

interface Values {
  readonly envelope?: string | undefined;
  readonly leaf?: string | undefined;
  readonly size?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly shard?: string | undefined;
}

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const verb = verbOf(argv, "petrel audit proof", ["inclusion", "consistency", "check"]);
  if (verb === "check") return check(argv.slice(1));
  const { values } = readArgs(argv.slice(1), OPTIONS);
  const make = verb === "inclusion" ? inclusionOf(values) : consistencyOf(values);
  const trail = await openKafka(configFrom(values), signal);
  try {
    await trail.settleEnds();
    const proof = await make(trail);
    const out = await textOut(values.out);
    await out.write(`${JSON.stringify(proof)}\n`);
    await out.close();
    if (values.out !== undefined) printLine(`${words(proof)} · ${values.out}`);
    return 0;
  } finally {
    await trail.close();
  }
}

type Make = (trail: KafkaTrail) => Promise<ProofFile>;

function inclusionOf({ envelope, leaf, size, shard }: Values): Make {
  if ((envelope === undefined) === (leaf === undefined))
    throw new PetrelError(
      "USAGE",
      "petrel audit proof inclusion: name one, --envelope ID or --leaf N",
    );
  const index = leaf === undefined ? undefined : numberOf(leaf, "--leaf");
  const wanted = size === undefined ? undefined : numberOf(size, "--size", 1);
  const ofShard = shard === undefined ? 0 : numberOf(shard, "--shard");
  return async (trail) => {
    const tree = index === undefined ? undefined : (await treeOf(trail, ofShard)).tree;
    const found = await find(trail, ({ event, kafka }) =>
      index === undefined
        ? event.extensions.envelopeid === envelope && !event.type.startsWith("petrel.audit.")
        : kafka?.tree === tree && kafka?.leaf === index,
    );
    const { kafka } = found;
    if (!kafka) throw new PetrelError("INTERNAL", "a record of Kafka without its place");
    const place = await placeOf(trail, kafka.tree);
    const record = leafOf(await trail.record(kafka));
    const newest = await newestSize(trail, place, kafka.leaf);
    const head = await headOf(trail, place, wanted ?? newest);
    const proof = await proveInclusion(await trail.leaves(place), kafka.leaf, head.size);
    const hashes = proof.map(base64);
    return {
      proof: "petrel.inclusion/v1",
      tree: kafka.tree,
      leaf: kafka.leaf,
      record,
      head,
      hashes,
    };
  };
}

function consistencyOf({ from, to, shard }: Values): Make {
  if (from === undefined || to === undefined)
    throw new PetrelError(
      "USAGE",
      "petrel audit proof consistency: --from M and --to N are needed",
    );
  const [m, n] = [numberOf(from, "--from", 1), numberOf(to, "--to", 1)];
  const ofShard = shard === undefined ? 0 : numberOf(shard, "--shard");
  return async (trail) => {
    const place = await treeOf(trail, ofShard);
    const [first, second] = [await headOf(trail, place, m), await headOf(trail, place, n)];
    const proof = await proveConsistency(await trail.leaves(place), m, n);
    const hashes = proof.map(base64);
    return { proof: "petrel.consistency/v1", tree: place.tree, first, second, hashes };
  };
}

/** The tree that a shard's bridge writes now. */
async function treeOf(trail: KafkaTrail, shard: number): Promise<TreeOfShard> {
  const last = (await trail.trees()).filter((one) => one.shard === shard).at(-1);
  if (last) return last;
  throw new PetrelError("QUERY_REFUSED", `kafka: the ledger of shard ${shard} is empty`);
}

async function placeOf(trail: KafkaTrail, tree: string): Promise<TreeOfShard> {
  const place = (await trail.trees()).find((one) => one.tree === tree);
  if (place) return place;
  throw new PetrelError(
    "QUERY_REFUSED",
    `kafka: no ledger tells of the tree "${tree.slice(0, 100)}"`,
  );
}

async function find(trail: KafkaTrail, isIt: (entry: TrailEntry) => boolean): Promise<TrailEntry> {
  const seen = progress("records read:");
  let read = 0;
  try {
    for await (const entry of trail.entries()) {
      seen.at(++read);
      if (!isUnreadable(entry) && isIt(entry)) return entry;
    }
  } finally {
    seen.end();
  }
  throw new PetrelError("QUERY_REFUSED", `kafka: no such record among ${count(read)}`);
}

/** The largest tree that is signed and holds the leaf, else the whole one. */
async function newestSize(trail: KafkaTrail, place: TreeOfShard, leaf: number): Promise<number> {
  let size = 0;
  for await (const placed of trail.checkpoints(place.tree)) size = sizeOf(placed) ?? size;
  if (size > leaf) return size;
  warn(`leaf ${leaf} is under no checkpoint yet: the proof ends at a root that nobody signed`);
  return trail.sizeOf(place);
}

/** A tree's size and root, with the checkpoint that says them where there is one. */
async function headOf(trail: KafkaTrail, place: TreeOfShard, size: number): Promise<ProofHead> {
  const root = base64(await trail.rootAt(place, size));
  for await (const placed of trail.checkpoints(place.tree))
    if (sizeOf(placed) === size) return { size, root, checkpoint: placed.note };
  return { size, root };
}

function sizeOf({ note, place }: PlacedNote): number | undefined {
  try {
    return parseCheckpoint(note.slice(0, note.lastIndexOf("\n\n") + 1), place).size;
  } catch {
    return undefined;
  }
}

async function check(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArgs(argv, CHECK_OPTIONS, 1);
  const [file] = positionals;
  if (file === undefined) throw new PetrelError("USAGE", "petrel audit proof check: name a file");
  const proof = parseProof(await readText(file, "proof check"), file);
  const verifiers = await loadVerifiers(values.keys ?? []);
  const { holds, signedBy, problems } = checkProof(proof, verifiers);
  const isGood = holds && problems.length === 0;
  if (values.json) {
    printLine(JSON.stringify({ isGood, holds, signedBy, problems, keys: verifiers.length }));
    return isGood ? 0 : DOES_NOT_HOLD;
  }
  printLine(words(proof));
  for (const problem of problems) printLine(colour("red", `  ${oneLine(problem, 300)}`));
  if (!holds) printLine(colour("red", "DOES NOT HOLD"));
  else if (!isGood)
    printLine(colour("red", "NOT PROVEN: the hashes fit, to a root that is not vouched for"));
  else if (verifiers.length === 0)
    printLine(colour("yellow", "HOLDS, if the checkpoint is genuine: no keys were given (--keys)"));
  else printLine(colour("green", `HOLDS  signed by ${[...new Set(signedBy)].join(", ")}`));
  return isGood ? 0 : DOES_NOT_HOLD;
}

function words(proof: ProofFile): string {
  const { tree, hashes } = proof;
  const ending = `${count(hashes.length)} hashes`;
  if (proof.proof === "petrel.consistency/v1")
    return `${oneLine(tree, 100)}: the tree of ${count(proof.first.size)} leaves is the beginning of that of ${count(proof.second.size)} · ${ending}`;
  const { topic, partition, offset } = proof.record;
  const where = oneLine(`${topic}/${partition}/${offset}`, 120);
  return `${oneLine(tree, 100)}: the record at ${where} is leaf ${count(proof.leaf)} of ${count(proof.head.size)} · ${ending}`;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
