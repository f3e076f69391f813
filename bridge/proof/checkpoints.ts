/**
 * Signed checkpoints in the order of their sizes, from Kafka and from the file outside it. What is not
 * signed by a known key, of another tree, out of its time or smaller than its predecessor is named and
 * left out: it proves nothing.
 *
 * From the future is a checkpoint whose time is ahead of the verifier's clock by more than the skew, or
 * whose size is beyond the ledger. Expired is one signed at a time at which none of its keys was in use,
 * and, where a maximum age is given, the newest one when it is older while leaves have come after it.
 */
import { messageOf } from "../../core/mod.ts";
import type { Signed } from "./chain.ts";
import { Cursor } from "./cursor.ts";
import type { Findings } from "./findings.ts";
import {
  type Checkpoint,
  type OpenedCheckpoint,
  openCheckpoint,
  originOf,
  parseCheckpoint,
  type Verifier,
} from "./note.ts";

/** The text of a signed note and where it was found, such as `petrel.audit.checkpoints/0/17`. */
export interface PlacedNote {
  readonly note: string;
  readonly place: string;
}

export interface CheckpointOptions {
  readonly tree: string;
  /** Trees whose checkpoints may stand in the same topic or file; they are passed over. */
  readonly otherTrees: readonly string[];
  readonly verifiers: readonly Verifier[];
  readonly nowMs: number;
  readonly skewMs: number;
}

/** Distinct roots for one size; honest checkpoints have one. */
const ROOTS_MAX = 10;

export class CheckpointWalk {
  readonly #kafka: Source;
  readonly #outside: Source | undefined;
  readonly #findings: Findings;

  constructor(
    kafka: AsyncIterable<PlacedNote>,
    outside: AsyncIterable<PlacedNote> | undefined,
    options: CheckpointOptions,
    findings: Findings,
  ) {
    this.#kafka = new Source(kafka, options, findings);
    this.#outside = outside && new Source(outside, options, findings);
    this.#findings = findings;
  }

  /** Checkpoints of the smallest size that is left, up to `sizeMax`: one for each root; empty when there is none. */
  async next(sizeMax: number): Promise<Signed[]> {
    const heads = [await this.#kafka.peek(), await this.#outside?.peek()];
    const size = Math.min(...heads.map((head) => head?.checkpoint.size ?? Infinity));
    if (size > sizeMax || size === Infinity) return [];
    const inKafka = await this.#kafka.take(size);
    const outside = (await this.#outside?.take(size)) ?? new Map<string, Signed>();
    for (const [root, signed] of outside) {
      if (inKafka.has(root)) continue;
      const message = `the checkpoint of ${size} leaves at ${signed.place} is not in Kafka`;
      this.#findings.add({ kind: "checkpoint-missing", place: signed.place, message });
    }
    return [...new Map([...outside, ...inKafka]).values()];
  }

  /** Names the checkpoints beyond the ledger's end. */
  async finish(size: number): Promise<void> {
    for (let rest = await this.next(Infinity); rest.length > 0; rest = await this.next(Infinity)) {
      for (const { checkpoint, place } of rest) {
        const message = `the checkpoint at ${place} is of ${checkpoint.size} leaves; the ledger ends at ${size}`;
        const range = { leaf: size, end: checkpoint.size };
        this.#findings.add({ kind: "checkpoint-future", place, message, ...range });
      }
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#kafka.close(), this.#outside?.close()]);
  }
}

/** Good checkpoints of one source. */
class Source {
  readonly #notes: Cursor<PlacedNote>;
  readonly #options: CheckpointOptions;
  readonly #findings: Findings;
  #head: Signed | undefined;
  #last = 0;

  constructor(notes: AsyncIterable<PlacedNote>, options: CheckpointOptions, findings: Findings) {
    this.#notes = new Cursor(notes);
    this.#options = options;
    this.#findings = findings;
  }

  async peek(): Promise<Signed | undefined> {
    while (!this.#head) {
      const placed = await this.#notes.next();
      if (!placed) return undefined;
      if (!this.#isOther(placed)) this.#head = this.#opened(placed);
    }
    return this.#head;
  }

  /** All checkpoints of one size, by root; the first of each. */
  async take(size: number): Promise<Map<string, Signed>> {
    const taken = new Map<string, Signed>();
    for (let head = await this.peek(); head?.checkpoint.size === size; head = await this.peek()) {
      this.#head = undefined;
      const root = Buffer.from(head.checkpoint.root).toString("hex");
      if (!taken.has(root) && taken.size < ROOTS_MAX) taken.set(root, head);
    }
    return taken;
  }

  close(): Promise<void> {
    return this.#notes.close();
  }

  #isOther({ note, place }: PlacedNote): boolean {
    const origin = note.slice(0, note.indexOf("\n"));
    if (!this.#options.otherTrees.some((tree) => originOf(tree) === origin)) return false;
    try {
      parseCheckpoint(note.slice(0, note.lastIndexOf("\n\n") + 1), place);
      return true;
    } catch {
      return false;
    }
  }

  /** The checkpoint, when it proves something. */
  #opened({ note, place }: PlacedNote): Signed | undefined {
    const { tree, verifiers, nowMs, skewMs } = this.#options;
    let opened: OpenedCheckpoint;
    try {
      opened = openCheckpoint(note, verifiers, place);
    } catch (error) {
      return this.#reject("checkpoint-invalid", place, messageOf(error));
    }
    const { checkpoint, signedBy } = opened;
    const { origin, size, atMs } = checkpoint;
    const what = `the checkpoint of ${size} leaves at ${place}`;
    const time = new Date(atMs).toISOString();
    if (origin !== originOf(tree)) {
      const problem = `is of the tree "${origin}", not of "${originOf(tree)}"`;
      return this.#reject("checkpoint-invalid", place, `${what} ${problem}`);
    }
    if (atMs > nowMs + skewMs)
      return this.#reject("checkpoint-future", place, `${what} is of ${time}, which is to come`);
    if (!signedBy.some((key) => isInUse(key, checkpoint))) {
      const keys = signedBy.map(({ name, keyId }) => `"${name}" (${keyId})`).join(", ");
      const problem = `is of ${time}, when ${keys} was not in use`;
      return this.#reject("checkpoint-expired", place, `${what} ${problem}`);
    }
    if (size < this.#last) {
      const problem = `comes after one of ${this.#last}: a tree does not shrink`;
      return this.#reject("checkpoint-invalid", place, `${what} ${problem}`);
    }
    this.#last = size;
    return { checkpoint, place };
  }

  #reject(
    kind: "checkpoint-invalid" | "checkpoint-future" | "checkpoint-expired",
    place: string,
    message: string,
  ): undefined {
    this.#findings.add({ kind, place, message });
  }
}

function isInUse({ fromMs, untilMs }: Verifier, { atMs }: Checkpoint): boolean {
  return atMs >= fromMs && atMs < untilMs;
}
