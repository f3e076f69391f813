/** `petrel audit gaps`: what shows that the audit is not whole, and how far Kafka is behind. */
import {
  isUnreadable,
  kafkaPlaceText,
  kindOf,
  type Lag,
  measureLag,
  type TrailEntry,
} from "../../bridge/mod.ts";
import { type Config, messageOf, systemClock } from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { colour, count, oneLine, seconds } from "../render/text.ts";
import { openAuditStream, openSource, SOURCE_OPTIONS, type Source } from "./open.ts";
import { progress } from "./progress.ts";
import { noticeName, printLine, table, timeWords, unreadableLine, warn } from "./words.ts";

const OPTIONS = { ...CONFIG_OPTIONS, ...SOURCE_OPTIONS, json: { type: "boolean" } } as const;

const FOUND = 1;
/** A headroom below this is shown as a warning: the bridge raises an alarm at the same. */
const HEADROOM_LOW = 0.25;

interface ShardLag extends Lag {
  readonly shard: number;
  readonly nextSeq: number;
}

interface Gathered {
  readonly notices: readonly TrailEntry[];
  readonly unreadable: readonly string[];
  /** Envelopes that only one end reported, and that the other reported later. */
  readonly confirmedLater: number;
}

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const config = configFrom(values);
  const source = await openSource(config, values, signal);
  try {
    const gathered = await gather(source);
    const { notices, unreadable, confirmedLater } = gathered;
    const lags = await lagsOf(config, source);
    const isFound = notices.length + unreadable.length > 0;
    if (values.json)
      printLine(JSON.stringify({ source: source.kind, notices, unreadable, confirmedLater, lags }));
    else print(gathered, lags, source);
    return isFound ? FOUND : 0;
  } finally {
    await source.close();
  }
}

async function gather(source: Source): Promise<Gathered> {
  const seen = progress("records read:");
  const notices: TrailEntry[] = [];
  const unreadable: string[] = [];
  const confirmed = new Set<string>();
  let read = 0;
  for await (const entry of source.read()) {
    seen.at(++read);
    if (isUnreadable(entry)) unreadable.push(unreadableLine(entry));
    else if (kindOf(entry) !== "notice") continue;
    else if (noticeName(entry) === "confirmed")
      confirmed.add(entry.event.extensions.envelopeid ?? "");
    else notices.push(entry);
  }
  seen.end();
  const isOpen = (entry: TrailEntry) =>
    noticeName(entry) !== "unconfirmed" || !confirmed.has(entry.event.extensions.envelopeid ?? "");
  const open = notices.filter(isOpen).sort((one, other) => one.seq - other.seq);
  return { notices: open, unreadable, confirmedLater: notices.length - open.length };
}

/** How far each shard's ledger is behind the stream; undefined where one of the two cannot be asked. */
async function lagsOf(config: Config, { kafka }: Source): Promise<readonly ShardLag[] | undefined> {
  if (!kafka) return undefined;
  try {
    const access = await openAuditStream(config);
    try {
      const lags: ShardLag[] = [];
      for (let shard = 0; shard < config.audit.shards; shard++) {
        const last = await kafka.lastLedger(shard);
        const nextSeq = last?.nextSeq ?? 1;
        const lag = await measureLag(access.jsm, nextSeq, systemClock.nowMs()).catch(
          () => undefined,
        );
        if (lag) lags.push({ shard, nextSeq, ...lag });
      }
      return lags;
    } finally {
      await access.close();
    }
  } catch (error) {
    warn(`the lag is not known: ${oneLine(messageOf(error), 300)}`);
    return undefined;
  }
}

function print(
  { notices, unreadable, confirmedLater }: Gathered,
  lags: readonly ShardLag[] | undefined,
  source: Source,
): void {
  if (notices.length > 0) printLine(colour("yellow", table(notices.map(rowOf))));
  for (const line of unreadable) printLine(line);
  const found = notices.length + unreadable.length;
  const verdict =
    found === 0 ? colour("green", "no gaps") : colour("yellow", `${count(found)} found`);
  const late =
    confirmedLater === 0 ? "" : ` · ${count(confirmedLater)} envelopes were confirmed late`;
  printLine(`${verdict}${late} · ${source.words}`);
  for (const { shard, messages, ageMs, headroom, nextSeq } of lags ?? []) {
    const behind =
      messages === 0
        ? "nothing behind"
        : `${count(messages)} messages behind, the oldest ${seconds(ageMs)} old`;
    const line = `shard ${shard}  next sequence ${nextSeq} · ${behind} · ${Math.floor(headroom * 100)} % of the retention left`;
    printLine(headroom < HEADROOM_LOW ? colour("red", line) : line);
  }
}

function rowOf(entry: TrailEntry): string[] {
  const { event, kafka } = entry;
  const notice = parsed(event.data);
  const text = (name: string): string => {
    const value = notice[name];
    return typeof value === "string" || typeof value === "number" ? oneLine(String(value), 80) : "";
  };
  return [
    timeWords(event.timeMs),
    oneLine(noticeName(entry), 16),
    text("reporter") || text("side") || "stream",
    detail(noticeName(entry), text),
    oneLine(event.id, 40),
    kafka ? kafkaPlaceText(kafka) : "",
  ];
}

function detail(name: string, text: (name: string) => string): string {
  if (name === "gap") {
    const missing = text("missing") === "" ? "an unknown number of" : text("missing");
    return `${text("reason")}: ${text("from")} to ${text("to")}, ${missing} reports missing ${text("sender")}`;
  }
  if (name === "silence")
    return `${text("sender")} last seen ${text("lastSeen")} after ${text("packs")} packs`;
  if (name === "poison") return `${text("reason")} on ${text("subject")}`;
  return text("envelope");
}

function parsed(data: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = JSON.parse(data ?? "{}");
    return typeof json === "object" && json !== null ? { ...json } : {};
  } catch {
    return {};
  }
}
