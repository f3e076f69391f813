/** What a verifier says: findings, each naming a leaf or a place; the first are kept, the rest counted. */

/** Every kind of finding; a trail without findings is intact. */
export const FINDING_KINDS = [
  /** A record is not what its leaf hash says. */
  "changed",
  /** A leaf has no record. */
  "removed",
  /** A record has no leaf, or is a second one for its leaf. */
  "added",
  /** A record is right, and not where it belongs: another partition, another topic, or out of order. */
  "moved",
  /** The ledger is not whole, contradicts itself, or contradicts a signed checkpoint. */
  "ledger-tampered",
  /** A checkpoint is malformed, not signed by a known key, of another tree, or contradicts another one. */
  "checkpoint-invalid",
  /** A checkpoint kept outside Kafka is not in Kafka. */
  "checkpoint-missing",
  /** A checkpoint is ahead of the verifier's clock, or of the ledger. */
  "checkpoint-future",
  /** A checkpoint was signed outside its key's time, or the newest one is too old. */
  "checkpoint-expired",
  /** JetStream, replayed, gives another record than the ledger has. */
  "replay-differs",
] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

export interface Finding {
  readonly kind: FindingKind;
  /** A sentence for people. */
  readonly message: string;
  /** The leaf concerned, or the first of several. */
  readonly leaf?: number;
  /** The leaf after the last one concerned; absent when it is one leaf or none. */
  readonly end?: number;
  /** `<topic>/<partition>/<offset>` of a record, or where a checkpoint was found. */
  readonly place?: string;
}

/** Collects findings within a bound. */
export class Findings {
  readonly #namedMax: number;
  readonly #named: Finding[] = [];
  readonly #counts = new Map<FindingKind, number>();

  /** At most `namedMax` findings are kept. */
  constructor(namedMax: number) {
    this.#namedMax = namedMax;
  }

  add(finding: Finding): void {
    this.#counts.set(finding.kind, (this.#counts.get(finding.kind) ?? 0) + 1);
    if (this.#named.length < this.#namedMax) this.#named.push(finding);
  }

  /** Counts findings that there was no room to name. */
  count(kind: FindingKind, times: number): void {
    if (times > 0) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + times);
  }

  /** Named findings, by leaf; those without one come last. */
  get named(): Finding[] {
    const at = (finding: Finding) => finding.leaf ?? Number.MAX_SAFE_INTEGER;
    return this.#named.toSorted((one, other) => at(one) - at(other));
  }

  /** How many of each kind, the unnamed ones included; kinds without any are absent. */
  get counts(): Partial<Record<FindingKind, number>> {
    return Object.fromEntries(this.#counts);
  }

  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }
}
