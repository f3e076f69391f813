/**
 * Compares records with the leaf hashes of the ledger, entry by entry. What is remembered beyond the
 * entry at hand is bounded: leaves that had no record, and records that came before their leaf.
 */
import type { StoredRecord } from "../kafka/record.ts";
import { HASH_BYTES, type LedgerEntry } from "../ledger.ts";
import { Cursor } from "./cursor.ts";
import type { Findings } from "./findings.ts";
import type { MergedRecord } from "./merge.ts";
import { isSame, leafHash } from "./merkle.ts";

export interface RecordCheckOptions {
  /** The partition a key of a topic belongs to. */
  readonly partitionOf: (topic: string, key: string) => number;
  /** Leaves written before this, in milliseconds since the epoch, may have lost their records to retention. */
  readonly retainedFromMs: number;
  /** True when the trail grows while it is read: records beyond the ledger's end are no finding. */
  readonly isLive: boolean;
}

/** A record that is not what the ledger says. Whether it or the ledger was changed, the tree decides. */
export interface Mismatch {
  readonly leaf: number;
  readonly place: string;
  /** Hash of the record as it is. */
  readonly hash: Uint8Array;
  /** The topic under which the record would be right. */
  readonly home: string | undefined;
}

interface Missing {
  readonly hash: Uint8Array;
  readonly atMs: number;
  readonly nextSeq: number;
}

interface Early {
  readonly hash: Uint8Array;
  readonly place: string;
}

type InOrder = MergedRecord & { readonly leaf: number };

const REMEMBERED_MAX = 10_000;
const TOPICS_MAX = 16;
/** Mismatches whose home is looked for. */
const HOMES_MAX = 1_000;

export class RecordCheck {
  readonly #records: Cursor<MergedRecord>;
  readonly #options: RecordCheckOptions;
  readonly #findings: Findings;
  /** The next leaf; those before it are done. */
  #at = 0;
  #first: number | undefined;
  #entry: LedgerEntry | undefined;
  #mismatches = new Map<number, Mismatch>();
  readonly #missing = new Map<number, Missing>();
  #missingUnnamed = 0;
  /** Missing leaves from this one on may not be remembered. */
  #forgottenFrom = Number.POSITIVE_INFINITY;
  readonly #early = new Map<number, Early>();
  readonly #gaps: { readonly first: number; readonly end: number }[] = [];
  readonly #topics = new Set<string>();
  #homes = 0;
  /** Records equal to their leaf. */
  matched = 0;
  /** Records of leaves that the ledger has no hash of. */
  uncompared = 0;
  /** Leaves whose records retention may have deleted. */
  expired = 0;
  /** Records beyond the ledger's end, of a live trail. */
  beyond = 0;

  constructor(
    records: AsyncIterable<MergedRecord>,
    options: RecordCheckOptions,
    findings: Findings,
  ) {
    this.#records = new Cursor(records);
    this.#options = options;
    this.#findings = findings;
  }

  /** Compares the records of an entry's leaves; returns those that are not what it says. */
  async compare(entry: LedgerEntry): Promise<Mismatch[]> {
    await this.#skipTo(entry.first);
    this.#entry = entry;
    this.#mismatches = new Map();
    for (;;) {
      const head = await this.#head();
      if (!head || head.leaf >= entry.size) break;
      this.#records.advance();
      if (head.leaf < this.#at) this.#repeated(head.leaf, head.record);
      else this.#arrived(head, entry);
    }
    this.#miss(entry.size, entry);
    return [...this.#mismatches.values()];
  }

  /** Reads what is left, and names what is missing. */
  async finish(): Promise<void> {
    this.#entry = undefined;
    for (let head = await this.#head(); head; head = await this.#head()) {
      this.#records.advance();
      if (head.leaf < this.#at) this.#repeated(head.leaf, head.record);
      else this.#beyondEnd(head.leaf, placeOf(head.record));
    }
    for (const [leaf, { place }] of this.#early) this.#beyondEnd(leaf, place);
    for (const [leaf, { hash, atMs, nextSeq }] of this.#missing) {
      const written = `${new Date(atMs).toISOString()}, from JetStream before sequence ${nextSeq}`;
      const hex = Buffer.from(hash).toString("hex");
      const message = `leaf ${leaf} has no record; its hash is ${hex}, written ${written}`;
      this.#findings.add({ kind: "removed", leaf, message });
    }
    this.#findings.count("removed", this.#missingUnnamed);
  }

  close(): Promise<void> {
    return this.#records.close();
  }

  /** The ledger goes on at `leaf`: what stands before it cannot be compared. */
  async #skipTo(leaf: number): Promise<void> {
    if (leaf <= this.#at && this.#first !== undefined) return;
    const isStart = this.#first === undefined;
    this.#first ??= leaf;
    if (!isStart && this.#gaps.length < REMEMBERED_MAX)
      this.#gaps.push({ first: this.#at, end: leaf });
    this.#at = leaf;
    for (const early of this.#early.keys()) if (early < leaf) this.#skip(early);
    for (let head = await this.#head(); head && head.leaf < leaf; head = await this.#head()) {
      this.#records.advance();
      this.uncompared++;
    }
  }

  #skip(early: number): void {
    this.#early.delete(early);
    this.uncompared++;
  }

  /** The next record in order; those out of order are dealt with on the way. */
  async #head(): Promise<InOrder | undefined> {
    for (;;) {
      const merged = await this.#records.peek();
      if (!merged) return undefined;
      if (isInOrder(merged)) return merged;
      this.#records.advance();
      const { leaf, record } = merged;
      if (leaf === undefined) this.#added(undefined, placeOf(record), "names no leaf of this tree");
      else if (leaf < this.#at) this.#repeated(leaf, record);
      else this.#arrivedEarly(leaf, record);
    }
  }

  #arrived({ leaf, record }: InOrder, entry: LedgerEntry): void {
    this.#miss(leaf, entry);
    this.#at = leaf + 1;
    if (this.#topics.size < TOPICS_MAX) this.#topics.add(record.topic);
    const hash = leafHash(record);
    const early = this.#early.get(leaf);
    this.#early.delete(leaf);
    const expected = hashAt(entry, leaf);
    if (isSame(hash, expected)) {
      this.#matches(leaf, record);
      if (early) this.#added(leaf, early.place, `is a second record for leaf ${leaf}`);
    } else if (early && isSame(early.hash, expected)) {
      this.#moved(leaf, early.place, "out of order");
      this.#added(leaf, placeOf(record), `is a second record for leaf ${leaf}`);
    } else {
      const home = this.#homeOf(record, expected);
      this.#mismatches.set(leaf, { leaf, place: placeOf(record), hash, home });
    }
  }

  #matches(leaf: number, record: StoredRecord): void {
    this.matched++;
    const partition = this.#options.partitionOf(record.topic, record.key);
    if (partition !== record.partition)
      this.#moved(leaf, placeOf(record), `its key belongs to partition ${partition}`);
  }

  /** A record of a leaf that is done: it comes late, or it is a second one. */
  #repeated(leaf: number, record: StoredRecord): void {
    const place = placeOf(record);
    if (leaf < (this.#first ?? 0) || this.#gaps.some((gap) => isWithin(leaf, gap))) {
      this.uncompared++;
      return;
    }
    const missing = this.#missing.get(leaf);
    const mismatch = this.#mismatches.get(leaf);
    const expected = mismatch && this.#entry && hashAt(this.#entry, leaf);
    if (missing) {
      this.#missing.delete(leaf);
      if (isSame(leafHash(record), missing.hash)) this.#moved(leaf, place, "out of order");
      else this.#changed(leaf, place, "and stands out of order");
    } else if (mismatch && expected && isSame(leafHash(record), expected)) {
      this.#mismatches.delete(leaf);
      this.#added(leaf, mismatch.place, `is a second record for leaf ${leaf}`);
      this.#matches(leaf, record);
    } else if (leaf >= this.#forgottenFrom) {
      this.#moved(
        leaf,
        place,
        "out of order, or a second record: too many leaves are missing to say",
      );
    } else {
      this.#added(leaf, place, `is a second record for leaf ${leaf}`);
    }
  }

  #arrivedEarly(leaf: number, record: StoredRecord): void {
    const place = placeOf(record);
    if (this.#early.has(leaf) || this.#early.size >= REMEMBERED_MAX)
      this.#added(leaf, place, `claims to be leaf ${leaf}, far out of order`);
    else this.#early.set(leaf, { hash: leafHash(record), place });
  }

  /** Leaves up to, and without, `end` have no record in order. */
  #miss(end: number, entry: LedgerEntry): void {
    for (; this.#at < end; this.#at++) {
      const leaf = this.#at;
      const hash = hashAt(entry, leaf);
      const early = this.#early.get(leaf);
      if (early) {
        this.#early.delete(leaf);
        if (isSame(early.hash, hash)) this.#moved(leaf, early.place, "out of order");
        else this.#changed(leaf, early.place, "and stands out of order");
      } else if (entry.atMs < this.#options.retainedFromMs) {
        this.expired++;
      } else if (this.#missing.size < REMEMBERED_MAX) {
        this.#missing.set(leaf, {
          hash: new Uint8Array(hash),
          atMs: entry.atMs,
          nextSeq: entry.nextSeq,
        });
      } else {
        this.#missingUnnamed++;
        this.#forgottenFrom = Math.min(this.#forgottenFrom, leaf);
      }
    }
  }

  /** A record taken from another topic is right under that topic's name. */
  #homeOf(record: StoredRecord, expected: Uint8Array): string | undefined {
    if (this.#homes++ >= HOMES_MAX) return undefined;
    return [...this.#topics].find((topic) => isSame(leafHash({ ...record, topic }), expected));
  }

  #beyondEnd(leaf: number, place: string): void {
    if (this.#options.isLive) this.beyond++;
    else this.#added(leaf, place, `claims to be leaf ${leaf}; the ledger ends at ${this.#at}`);
  }

  #added(leaf: number | undefined, place: string, problem: string): void {
    this.#findings.add({
      kind: "added",
      leaf,
      place,
      message: `the record at ${place} ${problem}`,
    });
  }

  #moved(leaf: number, place: string, problem: string): void {
    const message = `leaf ${leaf} stands at ${place}: ${problem}`;
    this.#findings.add({ kind: "moved", leaf, place, message });
  }

  #changed(leaf: number, place: string, more: string): void {
    const message = `leaf ${leaf} at ${place}: the record is not what its hash says, ${more}`;
    this.#findings.add({ kind: "changed", leaf, place, message });
  }
}

/** `<topic>/<partition>/<offset>`. */
export function placeOf({ topic, partition, offset }: StoredRecord): string {
  return `${topic}/${partition}/${offset}`;
}

function isInOrder(merged: MergedRecord): merged is InOrder {
  return merged.isInOrder && merged.leaf !== undefined;
}

function isWithin(leaf: number, gap: { readonly first: number; readonly end: number }): boolean {
  return leaf >= gap.first && leaf < gap.end;
}

function hashAt(entry: LedgerEntry, leaf: number): Uint8Array {
  const at = (leaf - entry.first) * HASH_BYTES;
  return entry.hashes.subarray(at, at + HASH_BYTES);
}
