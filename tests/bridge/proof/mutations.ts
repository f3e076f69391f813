/** Ways to tamper with a trail, each with what a verifier has to say of it. */
import {
  SEQUENCE_HEADER,
  type StoredRecord,
  sequenceText,
  TREE_HEADER,
} from "../../../bridge/kafka/record.ts";
import { HASH_BYTES, type LedgerEntry } from "../../../bridge/ledger.ts";
import type { PlacedNote } from "../../../bridge/proof/checkpoints.ts";
import type { FindingKind } from "../../../bridge/proof/findings.ts";
import { generateKey, parseSigner } from "../../../bridge/proof/keys.ts";
import { leafHash, Tree } from "../../../bridge/proof/merkle.ts";
import { signNote } from "../../../bridge/proof/note.ts";
import {
  type Draft,
  laneOf,
  makeRecord,
  OTHER_TREE,
  PARTITIONS,
  START_MS,
  signedNote,
  TOPICS,
  TREE,
} from "./trail.ts";

/** What has to be found: one of the kinds, at the leaf if there is one, at the place if there is one. */
export interface Expected {
  readonly kinds: readonly FindingKind[];
  /** One of these leaves is named, or lies in a range that is. */
  readonly leaves?: readonly number[];
  readonly place?: string;
}

type Pick = (below: number) => number;
/** Tampers with a draft; undefined where there is nothing to tamper with in this way. */
export type Mutation = (draft: Draft, pick: Pick) => Expected | undefined;

interface Spot {
  readonly lane: StoredRecord[];
  readonly at: number;
  readonly record: StoredRecord;
  readonly leaf: number;
}

/** Any record of the trail. */
function spotOf({ lanes }: Draft, pick: Pick, among = lanes): Spot {
  const lane = among[pick(among.length)] ?? [];
  const at = pick(lane.length);
  const record = lane[at];
  if (!record) return spotOf({ lanes, ledger: [], kafka: [], outside: [] }, pick, filled(among));
  return { lane, at, record, leaf: Number(record.headers[SEQUENCE_HEADER]) };
}

const filled = (lanes: StoredRecord[][]) => lanes.filter((lane) => lane.length > 0);

/** Puts another record where a picked one is. */
function edit(change: (record: StoredRecord, pick: Pick) => StoredRecord): Mutation {
  return (draft, pick) => {
    const { lane, at, record, leaf } = spotOf(draft, pick);
    lane[at] = change(record, pick);
    return { kinds: ["changed"], leaves: [leaf] };
  };
}

function withHeader(record: StoredRecord, name: string, value: string): StoredRecord {
  return { ...record, headers: { ...record.headers, [name]: value } };
}

/** Where a record of that leaf belongs in a lane. */
export function placeIn(lane: readonly StoredRecord[], leaf: number): number {
  const at = lane.findIndex((one) => Number(one.headers[SEQUENCE_HEADER]) > leaf);
  return at < 0 ? lane.length : at;
}

export function entryOf(draft: Draft, leaf: number): { entry: LedgerEntry; at: number } {
  const at = draft.ledger.findIndex((one) => leaf >= one.first && leaf < one.size);
  const entry = draft.ledger[at];
  if (!entry) throw new Error(`no entry holds leaf ${leaf}`);
  return { entry, at };
}

function setHash(draft: Draft, leaf: number, hash: Uint8Array): void {
  const { entry, at } = entryOf(draft, leaf);
  const hashes = new Uint8Array(entry.hashes);
  hashes.set(hash, (leaf - entry.first) * HASH_BYTES);
  draft.ledger[at] = { ...entry, hashes };
}

/** Changes a record and the ledger's hash of it. */
function editBoth(draft: Draft, pick: Pick): number {
  const { lane, at, record, leaf } = spotOf(draft, pick);
  const forged = { ...record, value: Buffer.from("forged") };
  lane[at] = forged;
  setHash(draft, leaf, leafHash(forged));
  return leaf;
}

function sizeOf(note: PlacedNote): number {
  return Number(note.note.split("\n")[1]);
}

const signedSize = (draft: Draft) => Math.max(...draft.kafka.map(sizeOf));

function editNote(change: (note: string, pick: Pick) => string): Mutation {
  return (draft, pick) => {
    const at = pick(draft.kafka.length);
    const placed = draft.kafka[at];
    if (!placed) return undefined;
    draft.kafka[at] = { ...placed, note: change(placed.note, pick) };
    return { kinds: ["checkpoint-invalid"], place: placed.place };
  };
}

/** The same note, the byte at `line` another. */
function editLine(note: string, line: number): string {
  const lines = note.split("\n");
  const text = lines[line] ?? "";
  lines[line] = text.startsWith("1") ? `2${text.slice(1)}` : `1${text.slice(1)}`;
  return lines.join("\n");
}

const textOf = (note: string) => note.slice(0, note.indexOf("\n\n") + 1);

export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  "a byte of a value": edit((record, pick) => {
    const value = Buffer.from(record.value);
    const at = pick(value.length);
    value[at] = (value[at] ?? 0) ^ (1 << pick(8));
    return { ...record, value };
  }),
  "a value cut": edit((record) => ({ ...record, value: record.value.subarray(1) })),
  "a key": edit((record) => ({ ...record, key: `${record.key}0` })),
  "a header": edit((record) => withHeader(record, "ce_type", "io.petrel.a2a.other")),
  "a header too many": edit((record) => withHeader(record, "ce_forged", "yes")),
  "a header too few": edit((record) => {
    const { ce_type: _, ...headers } = record.headers;
    return { ...record, headers };
  }),
  "a timestamp": edit((record, pick) => ({
    ...record,
    timestampMs: record.timestampMs + 1 + pick(1_000),
  })),
  "a leaf index": (draft, pick) => {
    const { lane, at, record, leaf } = spotOf(draft, pick);
    const others = [leaf + 1 + pick(90), 2 ** 40, pick(leaf + 1) - 1].filter((one) => one >= 0);
    lane[at] = withHeader(record, SEQUENCE_HEADER, sequenceText(others[pick(others.length)] ?? 0));
    return { kinds: ["removed"], leaves: [leaf] };
  },
  "a leaf index that is none": (draft, pick) => {
    const { lane, at, record, leaf } = spotOf(draft, pick);
    lane[at] = withHeader(record, SEQUENCE_HEADER, "seven");
    return { kinds: ["removed"], leaves: [leaf] };
  },
  "a tree": (draft, pick) => {
    const { lane, at, record, leaf } = spotOf(draft, pick);
    lane[at] = withHeader(record, TREE_HEADER, pick(2) === 0 ? OTHER_TREE : "AUDIT.9");
    return { kinds: ["removed"], leaves: [leaf] };
  },
  removed: (draft, pick) => {
    const { lane, at, leaf } = spotOf(draft, pick);
    lane.splice(at, 1);
    return { kinds: ["removed"], leaves: [leaf] };
  },
  "twice, one after the other": (draft, pick) => {
    const { lane, at, record, leaf } = spotOf(draft, pick);
    lane.splice(at, 0, record);
    return { kinds: ["added"], leaves: [leaf] };
  },
  "twice, the second at the end": (draft, pick) => {
    const { lane, record, leaf } = spotOf(draft, pick);
    lane.push(record);
    return { kinds: ["added"], leaves: [leaf] };
  },
  "twice, the second with another value": (draft, pick) => {
    const { lane, at, record, leaf } = spotOf(draft, pick);
    lane.splice(at + pick(2), 0, { ...record, value: Buffer.from("forged") });
    return { kinds: ["added"], leaves: [leaf] };
  },
  "twice, the second in another partition": (draft, pick) => {
    const { record, leaf } = spotOf(draft, pick);
    const partition = (record.partition + 1) % PARTITIONS;
    const lane = draft.lanes[laneOf(record.topic, partition)] ?? [];
    lane.splice(placeIn(lane, leaf), 0, { ...record, partition });
    return { kinds: ["added", "moved"], leaves: [leaf] };
  },
  "inserted without an index": (draft, pick) => {
    const { lane, at, record } = spotOf(draft, pick);
    const { [SEQUENCE_HEADER]: _, ...headers } = record.headers;
    lane.splice(at, 0, { ...record, headers });
    return { kinds: ["added"], place: `${record.topic}/${record.partition}/${at}` };
  },
  "inserted beyond the end": (draft, pick) => {
    const { lane, record } = spotOf(draft, pick);
    const leaf = (draft.ledger.at(-1)?.size ?? 0) + pick(3);
    lane.push({ ...makeRecord(leaf, record.topic, record.key), partition: record.partition });
    return { kinds: ["added"], leaves: [leaf] };
  },
  "inserted in the middle with an index beyond the end": (draft, pick) => {
    const { lane, at, record } = spotOf(draft, pick);
    const leaf = (draft.ledger.at(-1)?.size ?? 0) + pick(3);
    lane.splice(at, 0, makeRecord(leaf, record.topic, record.key));
    return { kinds: ["added"], leaves: [leaf] };
  },
  "two places swapped": (draft, pick) => {
    const one = spotOf(draft, pick);
    const other = spotOf(draft, pick, [one.lane]);
    if (one.at === other.at) return undefined;
    one.lane[one.at] = other.record;
    one.lane[other.at] = one.record;
    return { kinds: ["moved"], leaves: [one.leaf, other.leaf] };
  },
  "two values swapped": (draft, pick) => {
    const [one, other] = [spotOf(draft, pick), spotOf(draft, pick)];
    if (one.leaf === other.leaf) return undefined;
    one.lane[one.at] = { ...one.record, value: other.record.value };
    other.lane[other.at] = { ...other.record, value: one.record.value };
    return { kinds: ["changed"], leaves: [pick(2) === 0 ? one.leaf : other.leaf] };
  },
  "moved to another partition": (draft, pick) => {
    const { lane, at, record, leaf } = spotOf(draft, pick);
    const partition = (record.partition + 1) % PARTITIONS;
    const target = draft.lanes[laneOf(record.topic, partition)] ?? [];
    lane.splice(at, 1);
    target.splice(pick(2) === 0 ? placeIn(target, leaf) : target.length, 0, {
      ...record,
      partition,
    });
    return { kinds: ["moved"], leaves: [leaf] };
  },
  "moved to another topic": (draft, pick) => {
    const { lane, at, record, leaf } = spotOf(draft, pick);
    const topic = TOPICS.find((one) => one !== record.topic) ?? "";
    const target = draft.lanes[laneOf(topic, record.partition)] ?? [];
    lane.splice(at, 1);
    target.splice(placeIn(target, leaf), 0, { ...record, topic });
    return { kinds: ["moved", "changed"], leaves: [leaf] };
  },
  "a hash of the ledger": (draft, pick) => {
    const { leaf } = spotOf(draft, pick);
    setHash(draft, leaf, leafHash(makeRecord(leaf, "other", "other")));
    return { kinds: ["ledger-tampered"], leaves: [leaf] };
  },
  "a record and its hash": (draft, pick) => {
    const leaf = editBoth(draft, pick);
    return { kinds: ["ledger-tampered"], leaves: [leaf] };
  },
  "a record, its hash and every frontier": (draft, pick) => {
    const leaf = editBoth(draft, pick);
    const tree = new Tree();
    for (const [at, entry] of draft.ledger.entries()) {
      tree.appendAll(entry.hashes);
      draft.ledger[at] = { ...entry, frontier: tree.frontier };
    }
    // A tail that nobody signed yet can be rewritten as a whole.
    if (leaf >= signedSize(draft)) return undefined;
    return { kinds: ["ledger-tampered"], leaves: [leaf] };
  },
  "a frontier": (draft, pick) => {
    const at = pick(draft.ledger.length);
    const entry = draft.ledger[at];
    if (!entry) return undefined;
    const frontier = new Uint8Array(entry.frontier);
    const byte = pick(frontier.length);
    frontier[byte] = (frontier[byte] ?? 0) ^ 1;
    draft.ledger[at] = { ...entry, frontier };
    return { kinds: ["ledger-tampered"], leaves: [entry.first] };
  },
  "an entry too few": (draft, pick) => {
    const at = 1 + pick(draft.ledger.length - 2);
    const [entry] = draft.ledger.splice(at, 1);
    return { kinds: ["ledger-tampered"], leaves: [entry?.first ?? -1] };
  },
  "an entry too many": (draft, pick) => {
    const at = pick(draft.ledger.length);
    const entry = draft.ledger[at];
    if (entry) draft.ledger.splice(at + pick(draft.ledger.length - at), 0, entry);
    return { kinds: ["ledger-tampered"], leaves: [entry?.first ?? -1] };
  },
  "an entry of another tree": (draft, pick) => {
    const at = 1 + pick(draft.ledger.length - 2);
    const entry = draft.ledger[at];
    if (entry) draft.ledger[at] = { ...entry, tree: OTHER_TREE };
    return { kinds: ["ledger-tampered"], leaves: [entry?.first ?? -1] };
  },
  "an entry's sequence set back": (draft, pick) => {
    const at = 1 + pick(draft.ledger.length - 1);
    const entry = draft.ledger[at];
    if (entry) draft.ledger[at] = { ...entry, nextSeq: 5 };
    return { kinds: ["ledger-tampered"], leaves: [entry?.first ?? -1] };
  },
  "the end cut off": (draft) => {
    const size = signedSize(draft) - 1;
    draft.ledger.splice(draft.ledger.findIndex((entry) => entry.size > size));
    const end = draft.ledger.at(-1)?.size ?? 0;
    for (const lane of draft.lanes) lane.splice(placeIn(lane, end - 1));
    return { kinds: ["checkpoint-future"], leaves: [end] };
  },
  "a checkpoint's origin": editNote((note) => note.replace(TREE, OTHER_TREE.toLowerCase())),
  "a checkpoint's size": editNote((note) => editLine(note, 1)),
  "a checkpoint's root": editNote((note) => editLine(note, 2)),
  "a checkpoint's time": editNote((note) => note.replace("time 2026", "time 2025")),
  "a checkpoint's next sequence": editNote((note) => note.replace("next ", "next 1")),
  "a checkpoint's signature": editNote((note) => editLine(note, 6).replace(/A/g, "B")),
  "a checkpoint signed by another": editNote((note, pick) => {
    const name = pick(2) === 0 ? "petrel/AUDIT" : "mallory";
    return signNote(textOf(note), [parseSigner(generateKey(name).line, "other")]);
  }),
  "a checkpoint that is none": editNote(() => "{}"),
  "a checkpoint dropped": (draft, pick) => {
    const at = pick(draft.kafka.length);
    draft.kafka.splice(at, 1);
    return { kinds: ["checkpoint-missing"], place: draft.outside[at]?.place };
  },
  "two checkpoints swapped": (draft) => {
    draft.kafka.reverse();
    return { kinds: ["checkpoint-invalid", "checkpoint-missing"] };
  },
  "a checkpoint of another tree, well signed": (draft, pick) => {
    const at = pick(draft.kafka.length);
    const placed = draft.kafka[at];
    if (!placed) return undefined;
    const tree = new Tree();
    for (let leaf = 0; leaf < sizeOf(placed); leaf++) tree.append(new Uint8Array(32));
    draft.kafka[at] = { ...placed, note: signedNote(tree, START_MS, 10) };
    return { kinds: ["checkpoint-invalid", "ledger-tampered", "checkpoint-missing"] };
  },
};
