/** `petrel audit tail`: the records as they come, from JetStream as both ends report them, or from Kafka. */
import {
  type AuditEntry,
  isUnreadable,
  readAudit,
  type TrailEntry,
  type Unreadable,
} from "../../bridge/mod.ts";
import { type Config, PetrelError } from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { colour, oneLine } from "../render/text.ts";
import { openAuditStream, openKafka } from "./open.ts";
import { entryLine, numberOf, printLine, timeWords, unreadableLine } from "./words.ts";

const OPTIONS = {
  ...CONFIG_OPTIONS,
  json: { type: "boolean" },
  follow: { type: "boolean" },
  from: { type: "string" },
  "from-kafka": { type: "boolean" },
  "from-jetstream": { type: "boolean" },
} as const;

interface Wanted {
  readonly fromSeq: number;
  readonly follow: boolean;
  readonly json: boolean;
}

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const { json = false, follow = false } = values;
  const fromSeq = values.from === undefined ? 1 : numberOf(values.from, "--from", 1);
  const wanted = { fromSeq, follow, json };
  if (values["from-kafka"] && values["from-jetstream"])
    throw new PetrelError("USAGE", "--from-kafka and --from-jetstream exclude each other");
  const config = configFrom(values);
  await (values["from-kafka"] ? tailKafka : tailJetStream)(config, wanted, signal);
  return 0;
}

async function tailJetStream(config: Config, wanted: Wanted, signal: AbortSignal): Promise<void> {
  const { fromSeq, follow, json } = wanted;
  const access = await openAuditStream(config);
  try {
    const { js, jsm } = access;
    for await (const entry of readAudit({ js, jsm, follow, fromSeq, signal }))
      printLine(json ? JSON.stringify(entry) : reportLine(entry));
  } finally {
    await access.close();
  }
}

async function tailKafka(config: Config, wanted: Wanted, signal: AbortSignal): Promise<void> {
  const trail = await openKafka(config, signal);
  try {
    const entries = wanted.follow ? trail.follow() : trail.ordered();
    for await (const entry of entries) show(entry, wanted);
  } finally {
    await trail.close();
  }
}

function show(entry: TrailEntry | Unreadable, { fromSeq, json }: Wanted): void {
  if (!isUnreadable(entry) && entry.seq < fromSeq) return;
  if (json) printLine(JSON.stringify(entry));
  else printLine(isUnreadable(entry) ? unreadableLine(entry) : entryLine(entry));
}

/** One report of one end. */
function reportLine(entry: AuditEntry): string {
  if (entry.kind === "malformed")
    return colour(
      "red",
      `${entry.seq}  malformed pack on ${oneLine(entry.subject, 80)}: ${oneLine(entry.reason, 120)}`,
    );
  const { seq, index, record } = entry;
  const time = timeWords(record.atMs).slice(11, 23);
  const place = `${seq}.${index}`.padEnd(9);
  const way =
    record.kind === "request"
      ? `${record.caller} → ${record.agent}`
      : `${record.caller} ← ${record.agent}`;
  const frame = record.frame ?? record.kind;
  return `${time}  ${place} ${record.side.padEnd(6)} ${oneLine(way, 40).padEnd(18)} ${oneLine(record.method, 24).padEnd(21)} ${oneLine(frame, 10).padEnd(8)} ${oneLine(record.id, 44)}  ${oneLine(record.body, 80)}`;
}
