/** What must hold when a run is over: each promise, with what was found. */
import { KafkaReader, Tree } from "../../bridge/mod.ts";
import { PetrelError } from "../../core/mod.ts";
import { consoleCount } from "./console.ts";
import { type KafkaView, lastLedger, readKafka, readStream, type StreamView } from "./trail.ts";
import type { Truth } from "./truth.ts";
import { auditVerify } from "./verify.ts";
import type { World } from "./world.ts";

/** One line of the table. A promise that is broken has `isBroken`; the others are figures. */
export interface Row {
  readonly name: string;
  readonly found: string;
  readonly isBroken: boolean;
}

const EXAMPLES_MAX = 3;

/** Reads both ends and compares them with each other, with the truth logs, and with independent readers. */
export async function checkTrail(
  world: World,
  truth: Truth,
  signal: AbortSignal,
): Promise<readonly Row[]> {
  const ledger = await ledgerOf(world, signal);
  const kafka = await readKafka(world.client, signal);
  const access = await world.access();
  try {
    const stream = await readStream(access, kafka, ledger.nextSeq, signal);
    return [
      ...figures(kafka, stream),
      ...completeness(kafka, stream, truth),
      ...order(kafka),
      ...roots(kafka, stream, ledger.root, ledger.size),
      ...noticesOf(kafka),
      ...(await verified(world, ledger.size)),
      ...(await consoleCounts(world, kafka.records)),
    ];
  } finally {
    await access.close();
  }
}

async function ledgerOf({ client }: World, signal: AbortSignal) {
  const reader = new KafkaReader({ client });
  try {
    const last = await lastLedger(reader, signal);
    if (!last) throw new PetrelError("INCOMPLETE", "nothing was ever carried");
    const { nextSeq, size } = last;
    return { nextSeq, size, root: new Tree(size, last.frontier).root() };
  } finally {
    await reader.close();
  }
}

function figures(kafka: KafkaView, { reports, packs }: StreamView): Row[] {
  return [
    figure("envelopes in Kafka", kafka.envelopes.size),
    figure("reports of them in JetStream", `${count(reports)} in ${count(packs)} packs`),
    figure("records in Kafka, notices among them", kafka.records),
  ];
}

/** What somebody knows of is in Kafka, each once, and nothing else is. */
function completeness(kafka: KafkaView, stream: StreamView, truth: Truth): Row[] {
  const missing: string[] = [];
  for (const [traceId, frames] of truth.answered)
    if (!isWhole(kafka.calls.get(traceId), frames)) missing.push(traceId);
  const half: string[] = [];
  for (const [traceId, frames] of truth.answered) {
    const ends = stream.ends.get(traceId);
    const envelopes = 1 + Math.max(1, frames);
    if (ends?.caller !== envelopes || ends.agent !== envelopes) half.push(traceId);
  }
  const unseen = [...truth.received].filter((id) => kafka.calls.get(id)?.requests !== 1);
  const unread = [...stream.envelopes].filter((id) => !kafka.envelopes.has(id));
  const invented = [...kafka.calls.keys()].filter((id) => !truth.asked.has(id));
  const torn = [...kafka.taskEvents].filter(([, events]) => events.count !== events.highest);
  const doubled = [...kafka.calls].filter(([, { requests, responses, frames }]) => {
    return requests > 1 || responses > 1 || new Set(frames).size < frames.length;
  });
  return [
    figure("calls answered, as their callers know", truth.answered.size),
    promise("missing of those", missing),
    promise("not reported by both ends, of those", half),
    promise("requests that came in and are missing", unseen),
    promise("reports of JetStream missing in Kafka", unread),
    promise("tasks with an event missing", torn.map(String)),
    promise("calls that nobody made", invented),
    promise("twice", [...kafka.twice, ...doubled.map(([id]) => id)]),
  ];
}

function isWhole(
  call: { requests: number; responses: number; readonly frames: readonly number[] } | undefined,
  frames: number,
): boolean {
  if (call?.requests !== 1) return false;
  if (frames === 0) return call.responses === 1 && call.frames.length === 0;
  const numbers = call.frames.toSorted((a, b) => a - b);
  return numbers.length === frames && numbers.every((number, index) => number === index + 1);
}

function order(kafka: KafkaView): Row[] {
  return [
    promise("out of order within a key", kafka.disordered),
    promise("leaves without a record", kafka.holes === 0 ? [] : [`${kafka.holes} leaves`]),
  ];
}

function roots(kafka: KafkaView, stream: StreamView, ledger: Uint8Array, size: number): Row[] {
  const ends = { ledger, Kafka: kafka.tree.root(), JetStream: stream.tree.root() };
  const texts = Object.entries(ends).map(([end, root]) => [end, short(root)] as const);
  const isSame = new Set(texts.map(([, root]) => root)).size === 1;
  const sizes = new Set([size, kafka.tree.size, stream.tree.size]);
  const differs = stream.differs === undefined ? "" : ` first at leaf ${stream.differs}`;
  const found = isSame
    ? `${texts[0]?.[1]} of ${count(size)} leaves, from both ends`
    : `${texts.map((pair) => pair.join(" ")).join(", ")};${differs}`;
  return [{ name: "Merkle root", found, isBroken: !isSame || sizes.size > 1 }];
}

/** What the audit says of itself. Nothing was dropped on purpose: it has to say that nothing is missing. */
function noticesOf(kafka: KafkaView): Row[] {
  const notices = [...kafka.notices].map(([kind, number]) => `${kind} ${count(number)}`);
  const gaps = kafka.gaps.map(({ reason, missing }) => `${reason}: ${missing ?? "?"}`);
  const conflicts = kafka.notices.get("conflict") ?? 0;
  const poison = kafka.notices.get("poison") ?? 0;
  return [
    figure("notices", notices.join(", ") || "none"),
    promise("gaps the audit reports", gaps),
    promise("conflicts and poison", conflicts + poison === 0 ? [] : [`${conflicts}, ${poison}`]),
  ];
}

/** The command a user has for it. */
async function verified(world: World, size: number): Promise<Row[]> {
  const { isIntact, signed, reports } = await auditVerify(world);
  const [report] = reports;
  const whole = [report?.size, report?.matched, report?.replayed].every((one) => one === size);
  const messages = report?.findings.slice(0, EXAMPLES_MAX).map(({ message }) => message) ?? [];
  const found = isIntact
    ? `intact, ${count(report?.checkpoints ?? 0)} checkpoints, signed up to leaf ${count(report?.provenTo ?? 0)}`
    : messages.join("; ");
  return [{ name: "petrel audit verify", found, isBroken: !isIntact || !signed || !whole }];
}

/** Java's own consumer counts, and what it sees of transactions that were never committed. */
async function consoleCounts(world: World, records: number): Promise<Row[]> {
  const [committed, all] = await Promise.all([
    consoleCount(world, "read_committed", records),
    consoleCount(world, "read_uncommitted", records),
  ]);
  const difference = committed === records ? [] : [`it counts ${count(committed)}`];
  return [
    promise("Java's read_committed consumer differs", difference),
    figure("records in aborted transactions, never shown", all - committed),
  ];
}

/** A line that only tells. */
export function figure(name: string, found: number | string): Row {
  return { name, found: typeof found === "number" ? count(found) : found, isBroken: false };
}

/** A promise that holds when there is nothing in the list. */
export function promise(name: string, broken: readonly string[]): Row {
  const examples = broken.slice(0, EXAMPLES_MAX).join(", ");
  const found = broken.length === 0 ? "0" : `${count(broken.length)}: ${examples}`;
  return { name, found, isBroken: broken.length > 0 };
}

function short(root: Uint8Array): string {
  return Buffer.from(root).toString("base64").slice(0, 12);
}

export function count(number: number): string {
  return number.toLocaleString("en-US");
}
