/** `petrel audit export`: the records of a span of time as JSON lines, with a manifest to check them by. */
import { ExportLines, type KafkaTrail, type TreeOfShard } from "../../bridge/mod.ts";
import { PetrelError, parseInstantMs, systemClock } from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { count } from "../render/text.ts";
import { type TextOut, textOut } from "./files.ts";
import { openKafka } from "./open.ts";
import { progress } from "./progress.ts";
import { printLine, timeWords } from "./words.ts";

const OPTIONS = {
  ...CONFIG_OPTIONS,
  from: { type: "string" },
  to: { type: "string" },
  out: { type: "string" },
  json: { type: "boolean" },
} as const;

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const span = spanOf(values.from, values.to);
  const trail = await openKafka(configFrom(values), signal);
  try {
    await trail.settleEnds();
    const out = await textOut(values.out);
    try {
      const lines = new ExportLines();
      const trees = await trail.trees();
      const seen = progress("records written:");
      for (const { tree } of trees) await writeTree(trail, tree, span, lines, out, seen.at);
      seen.end();
      const of = {
        from: timeWords(span.fromMs),
        to: timeWords(span.toMs),
        madeAt: timeWords(systemClock.nowMs()),
      };
      const manifest = lines.manifest(
        of,
        await Promise.all(trees.map((one) => treeOf(trail, one))),
      );
      await out.write(`${JSON.stringify(manifest)}\n`);
      await out.close();
      if (values.out !== undefined) {
        const words = `${count(manifest.records)} records · ${values.out} · sha256 ${manifest.sha256} of the lines before the manifest`;
        printLine(values.json ? JSON.stringify(manifest) : words);
      }
      return 0;
    } catch (error) {
      // A part must not pass for the whole.
      await out.undo();
      throw error;
    }
  } finally {
    await trail.close();
  }
}

function spanOf(from: string | undefined, to: string | undefined): Span {
  if (from === undefined || to === undefined)
    throw new PetrelError("USAGE", "petrel audit export: --from and --to are needed");
  const span = { fromMs: parseInstantMs(from, "--from"), toMs: parseInstantMs(to, "--to") };
  if (span.fromMs >= span.toMs) throw new PetrelError("USAGE", "--from must be before --to");
  return span;
}

/** Writes a tree's records by leaf. */
async function writeTree(
  trail: KafkaTrail,
  tree: string,
  { fromMs, toMs }: Span,
  lines: ExportLines,
  out: TextOut,
  onWritten: (records: number) => void,
): Promise<void> {
  for await (const { record } of trail.merged(tree)) {
    if (record.timestampMs < fromMs || record.timestampMs >= toMs) continue;
    await out.write(lines.line(record));
    onWritten(lines.records);
  }
}

/** What the ledger and the newest checkpoint say of a tree. */
async function treeOf(trail: KafkaTrail, place: TreeOfShard) {
  const { tree } = place;
  let checkpoint: string | undefined;
  for await (const { note } of trail.checkpoints(tree)) checkpoint = note;
  const [size, root] = [await trail.sizeOf(place), await trail.rootOf(place)];
  return { tree, size, root, ...(checkpoint !== undefined && { checkpoint }) };
}
