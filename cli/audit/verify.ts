/** `petrel audit verify`: is every record in Kafka what was written, in its place, and under a signed root? */
import {
  type Boundary,
  type Finding,
  type KafkaTrail,
  loadVerifiers,
  type PlacedNote,
  partitionOf,
  type Replayed,
  replayLeaves,
  type TreeOfShard,
  type Verifier,
  type VerifyReport,
  verifyTrail,
} from "../../bridge/mod.ts";
import { type Config, PetrelError, systemClock } from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { filterOf, mirrorOptionsOf, recorderOf } from "../kafka.ts";
import { colour, count, oneLine, seconds } from "../render/text.ts";
import { checkpointsIn } from "./files.ts";
import { openAuditStream, openKafka } from "./open.ts";
import { progress } from "./progress.ts";
import { facts, numberOf, printLine } from "./words.ts";

const OPTIONS = {
  ...CONFIG_OPTIONS,
  checkpoints: { type: "string" },
  keys: { type: "string", multiple: true },
  "against-jetstream": { type: "boolean" },
  shard: { type: "string" },
  json: { type: "boolean" },
} as const;

const TAMPERED = 1;
/** A transaction's last marker may come a moment after its first. */
const STRANGERS_ATTEMPTS = 10;
const STRANGERS_WAIT_MS = 500;

interface Given {
  readonly config: Config;
  readonly trail: KafkaTrail;
  readonly trees: readonly TreeOfShard[];
  readonly verifiers: readonly Verifier[];
  /** A file of checkpoints outside Kafka. */
  readonly outside: string | undefined;
  readonly againstJetStream: boolean;
  readonly signal: AbortSignal;
}

type Report = VerifyReport & { readonly ms: number; readonly root: string };

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const shard = values.shard === undefined ? undefined : numberOf(values.shard, "--shard");
  const config = configFrom(values);
  const verifiers = await loadVerifiers(keyringsOf(config, values.keys));
  const trail = await openKafka(config, signal);
  try {
    await trail.settleEnds();
    const trees = await trail.trees();
    const wanted = trees.filter((one) => shard === undefined || one.shard === shard);
    if (wanted.length === 0) throw nothingToVerify(shard);
    const outside = values.checkpoints;
    const againstJetStream = values["against-jetstream"] ?? false;
    const given = { config, trail, trees, verifiers, outside, againstJetStream, signal };
    const reports: Report[] = [];
    for (const tree of wanted) {
      const report = await verifyTree(given, tree);
      reports.push(report);
      if (!values.json) print(report, given);
    }
    const isIntact = reports.every((report) => report.isIntact);
    if (values.json) printLine(JSON.stringify({ isIntact, signed: verifiers.length > 0, reports }));
    return isIntact ? 0 : TAMPERED;
  } finally {
    await trail.close();
  }
}

/** The keyrings that were named, else the configuration's. */
function keyringsOf({ bridge }: Config, named: readonly string[] | undefined): readonly string[] {
  const { keyring_file: file } = bridge.checkpoint;
  return named ?? (file === undefined ? [] : [file]);
}

function nothingToVerify(shard: number | undefined): PetrelError {
  const which = shard === undefined ? "" : ` of shard ${shard}`;
  return new PetrelError("UNAVAILABLE", `kafka: the ledger${which} is empty: nothing to verify`);
}

async function verifyTree(given: Given, place: TreeOfShard): Promise<Report> {
  const { trail, trees, verifiers, outside, againstJetStream, signal } = given;
  const { tree } = place;
  const startedMs = systemClock.nowMs();
  const counts = await trail.partitionCounts();
  const retainedFromMs = await trail.retainedFromMs(place);
  const replayed = againstJetStream ? await replayOf(given, place) : undefined;
  const isSigned = verifiers.length > 0;
  const shown = progress(`${tree}: leaves verified:`);
  try {
    const report = await verifyTrail(
      {
        tree,
        ledger: trail.ledger(place),
        records: trail.merged(tree),
        checkpoints: isSigned ? trail.checkpoints(tree) : none(),
        verifiers,
        partitionOf: (topic, key) => partitionOf(key, counts.get(topic) ?? 1),
        ...(isSigned && outside !== undefined && { outside: checkpointsIn(outside, tree) }),
        ...(replayed && { replayed: replayed.leaves }),
      },
      {
        signal,
        otherTrees: trees.map((one) => one.tree).filter((name) => name !== tree),
        isLive: true,
        onProgress: shown.at,
        ...(retainedFromMs !== undefined && { retainedFromMs }),
      },
    );
    const root = await trail.rootOf(place);
    const whole = await withoutStrangers(report, trail, place, signal);
    return { ...whole, root, ms: systemClock.nowMs() - startedMs };
  } finally {
    shown.end();
    await replayed?.close();
  }
}

/**
 * Records beyond the ledger's end were written while we read, and then the ledger has grown by as many; or
 * somebody else wrote them.
 */
async function withoutStrangers(
  report: VerifyReport,
  trail: KafkaTrail,
  { tree, shard }: TreeOfShard,
  signal: AbortSignal,
): Promise<VerifyReport> {
  const { beyond, size, findings, counts } = report;
  if (beyond === 0) return report;
  const grown = await grownBy(beyond, size, trail, { tree, shard }, signal);
  if (grown >= beyond) return report;
  const message = `${beyond - grown} records claim leaves beyond the ledger's end at ${size}`;
  const finding: Finding = { kind: "added", leaf: size, message };
  return {
    ...report,
    isIntact: false,
    findings: [...findings, finding],
    counts: { ...counts, added: (counts.added ?? 0) + 1 },
  };
}

/** By how many leaves the ledger has grown beyond `size`, waiting a while until it is `wanted`. */
async function grownBy(
  wanted: number,
  size: number,
  trail: KafkaTrail,
  { tree, shard }: TreeOfShard,
  signal: AbortSignal,
): Promise<number> {
  let grown = 0;
  for (let attempt = 0; attempt < STRANGERS_ATTEMPTS; attempt++) {
    const last = await trail.lastLedger(shard);
    grown = last?.tree === tree ? last.size - size : 0;
    if (grown >= wanted) break;
    await systemClock.sleep(STRANGERS_WAIT_MS, signal);
  }
  return grown;
}

async function replayOf(
  { config, trail, signal }: Given,
  place: TreeOfShard,
): Promise<{ leaves: Replayed; close: () => Promise<void> }> {
  const recorder = await recorderOf(config, signal);
  const boundaries: Boundary[] = [];
  for await (const entry of trail.ledger(place))
    if (!(entry instanceof PetrelError))
      boundaries.push({ nextSeq: entry.nextSeq, size: entry.size });
  const access = await openAuditStream(config);
  try {
    const { js, jsm } = access;
    const filter = filterOf(config, place.shard);
    const mirror = mirrorOptionsOf(config);
    const { tree } = place;
    const options = { js, jsm, tree, mirror, recorder, boundaries, signal };
    const leaves = await replayLeaves(filter === undefined ? options : { ...options, filter });
    return { leaves, close: () => access.close() };
  } catch (error) {
    await access.close();
    throw error;
  }
}

async function* none(): AsyncGenerator<PlacedNote, void, undefined> {}

function print(report: Report, { verifiers, outside }: Given): void {
  const { tree, first, size, matched, checkpoints, provenTo, unsignedTail, replayed } = report;
  const isSigned = verifiers.length > 0;
  const more = (name: string, value: number, words: string): [string, string][] =>
    value === 0 ? [] : [[name, `${count(value)} ${words}`]];
  printLine(colour("bold", `tree ${oneLine(tree, 100)}`));
  printLine(
    facts([
      ["  records", `${count(matched)} equal their leaves`],
      [
        "  tree",
        `${count(size)} leaves${first > 0 ? ` · the ledger begins at leaf ${count(first)}` : ""}`,
      ],
      ["  root", report.root],
      [
        "  signed",
        isSigned
          ? `${count(checkpoints)} checkpoints · up to leaf ${count(provenTo)} · ${count(unsignedTail)} leaves after it`
          : "not checked: no keys were given (--keys)",
      ],
      ...more(
        "  outside",
        outside === undefined || !isSigned ? 0 : checkpoints,
        "checkpoints, those of the file among them",
      ),
      ...(replayed === undefined
        ? []
        : [
            ["  JetStream", `${count(replayed)} leaves made again are the same`] as [
              string,
              string,
            ],
          ]),
      ...more("  expired", report.expired, "leaves whose records are older than what Kafka keeps"),
      ...more("  later", report.beyond, "records came while this was running"),
      ...more(
        "  unchecked",
        report.uncheckable,
        "checkpoints of sizes whose root the ledger no longer tells",
      ),
    ]),
  );
  for (const { kind, message } of report.findings)
    printLine(colour("red", `  ${kind.padEnd(18)}  ${oneLine(message, 400)}`));
  const named = report.findings.length;
  const all = Object.values(report.counts).reduce((sum, number) => sum + number, 0);
  if (all > named) printLine(`  and ${count(all - named)} findings more`);
  printLine(verdict(report, all, isSigned));
}

/** The line a person reads. */
function verdict(report: Report, findings: number, isSigned: boolean): string {
  const { size, matched, checkpoints, root, ms } = report;
  const what = `${count(matched)} records · tree size ${count(size)} · ${count(checkpoints)} checkpoints · root ${root} · ${seconds(ms)}`;
  if (findings > 0)
    return colour(
      "red",
      `TAMPERED  ${count(findings)} ${findings === 1 ? "finding" : "findings"} · ${what}`,
    );
  if (!isSigned) return colour("yellow", `CONSISTENT, not proven: no keys were given · ${what}`);
  return colour("green", `VERIFIED  ${what}`);
}
