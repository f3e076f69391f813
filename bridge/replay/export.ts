/**
 * Records for somebody outside, as JSON lines, closed by a manifest: what is in the file, the checkpoint
 * it is under, and its SHA-256. A line holds all that its leaf hash is made of, so that the receiver can
 * check records against a proof without our software.
 */
import { leafIndexOf, type StoredRecord, TREE_HEADER } from "../kafka/record.ts";
import { entryOf } from "./kafka.ts";

/** The export's own format; a field may be added, none changes its meaning. */
export const EXPORT_FORMAT = "petrel.export/v1";

export interface Exported {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly leaf: number | undefined;
  readonly timestampMs: number;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The value as text, or in base64 when it is no UTF-8. */
  readonly value?: string;
  readonly valueBase64?: string;
}

export interface TreeManifest {
  readonly tree: string;
  readonly records: number;
  readonly firstLeaf: number | undefined;
  readonly lastLeaf: number | undefined;
  /** The newest signed checkpoint; absent when nothing is signed. */
  readonly checkpoint?: string;
  /** Leaves in the tree, and its root in base64, after the last ledger entry. */
  readonly size: number;
  readonly root: string;
}

export interface Manifest {
  readonly manifest: typeof EXPORT_FORMAT;
  /** Records that JetStream stored from, and before, these times. */
  readonly from: string;
  readonly to: string;
  readonly records: number;
  readonly topics: Readonly<Record<string, number>>;
  readonly redaction: readonly string[];
  readonly trees: readonly TreeManifest[];
  readonly madeAt: string;
  /** Of every byte before this line. */
  readonly sha256: string;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const REDACTIONS_MAX = 100;

/** Makes the lines of an export and counts what goes into its manifest. */
export class ExportLines {
  readonly #sha256 = new Bun.CryptoHasher("sha256");
  readonly #topics = new Map<string, number>();
  readonly #redactions = new Set<string>();
  readonly #trees = new Map<string, { records: number; first?: number; last?: number }>();
  records = 0;

  /** The line of a record, with its newline. */
  line(record: StoredRecord): string {
    const { topic, headers } = record;
    const leaf = leafIndexOf(record);
    this.records++;
    this.#topics.set(topic, (this.#topics.get(topic) ?? 0) + 1);
    const entry = entryOf(record);
    const redaction = "event" in entry ? entry.event.extensions.redaction : undefined;
    if (redaction !== undefined && this.#redactions.size < REDACTIONS_MAX)
      this.#redactions.add(redaction);
    this.#countLeaf(headers[TREE_HEADER] ?? "", leaf);
    const text = `${JSON.stringify(exported(record, leaf))}\n`;
    this.#sha256.update(text);
    return text;
  }

  /** The last line. `trees` says of each tree what stands in the ledger and the checkpoints. */
  manifest(
    of: Pick<Manifest, "from" | "to" | "madeAt">,
    trees: readonly Pick<TreeManifest, "tree" | "checkpoint" | "size" | "root">[],
  ): Manifest {
    return {
      manifest: EXPORT_FORMAT,
      from: of.from,
      to: of.to,
      records: this.records,
      topics: Object.fromEntries(this.#topics),
      redaction: [...this.#redactions],
      trees: trees.map((tree) => {
        const { records = 0, first, last } = this.#trees.get(tree.tree) ?? {};
        return { ...tree, records, firstLeaf: first, lastLeaf: last };
      }),
      madeAt: of.madeAt,
      sha256: this.#sha256.copy().digest("hex"),
    };
  }

  #countLeaf(tree: string, leaf: number | undefined): void {
    const known = this.#trees.get(tree) ?? { records: 0 };
    const range = leaf === undefined ? {} : { first: known.first ?? leaf, last: leaf };
    this.#trees.set(tree, { ...known, ...range, records: known.records + 1 });
  }
}

function exported(record: StoredRecord, leaf: number | undefined): Exported {
  const { topic, partition, offset, timestampMs, key, headers } = record;
  const common = { topic, partition, offset, leaf, timestampMs, key, headers };
  try {
    return { ...common, value: utf8.decode(record.value) };
  } catch {
    return { ...common, valueBase64: record.value.toString("base64") };
  }
}
