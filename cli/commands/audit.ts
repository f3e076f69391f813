/** `petrel audit`: the trail in JetStream, as people and programs read it. */
import { type AuditEntry, readAudit, tallyAudit } from "../../bridge/mod.ts";
import { PetrelError, silentLogger } from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { colour, count, oneLine } from "../render/text.ts";
import { openMesh } from "../wire.ts";

const OPTIONS = {
  ...CONFIG_OPTIONS,
  json: { type: "boolean" },
  follow: { type: "boolean" },
  from: { type: "string" },
} as const;

const TO_COME = ["show", "replay", "verify", "gaps", "export"];

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = readArgs(argv, OPTIONS, 1);
  const verb = positionals[0] ?? "";
  if (TO_COME.includes(verb)) {
    throw new PetrelError(
      "NOT_BUILT_YET",
      `petrel audit ${verb} is not built yet: it comes with the bridge to Kafka`,
    );
  }
  if (verb !== "tail" && verb !== "tally") {
    const words = verb === "" ? "say what:" : `cannot "${verb.slice(0, 60)}":`;
    throw new PetrelError("USAGE", `petrel audit ${words} tail or tally`);
  }
  const fromSeq = values.from === undefined ? undefined : sequence(values.from);
  const mesh = await openMesh(configFrom(values), "cli", silentLogger);
  try {
    const follow = verb === "tail" && (values.follow ?? false);
    const { js, jsm } = mesh;
    const entries = readAudit({
      js,
      jsm,
      follow,
      signal,
      ...(fromSeq === undefined ? {} : { fromSeq }),
    });
    if (verb === "tail")
      for await (const entry of entries)
        process.stdout.write(`${line(entry, values.json ?? false)}\n`);
    else await tally(entries, values.json ?? false);
    return 0;
  } finally {
    await mesh.close();
  }
}

async function tally(entries: AsyncIterable<AuditEntry>, json: boolean): Promise<void> {
  const result = await tallyAudit(entries);
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else {
    const { envelopes, halfReported, malformedPacks, examples } = result;
    process.stdout.write(
      `${count(envelopes)} envelopes · ${count(halfReported)} reported by one end only · ${count(malformedPacks)} malformed packs\n`,
    );
    for (const example of examples) process.stdout.write(`  ${oneLine(example, 120)}\n`);
  }
}

function line(entry: AuditEntry, json: boolean): string {
  if (json) return JSON.stringify(entry);
  if (entry.kind === "malformed")
    return colour(
      "red",
      `${entry.seq}  malformed pack on ${oneLine(entry.subject, 80)}: ${oneLine(entry.reason, 120)}`,
    );
  const { seq, index, record } = entry;
  const time = new Date(record.atMs).toISOString().slice(11, 23);
  const place = `${seq}.${index}`.padEnd(9);
  const way =
    record.kind === "request"
      ? `${record.caller} → ${record.agent}`
      : `${record.caller} ← ${record.agent}`;
  const frame = record.frame ?? record.kind;
  return `${time}  ${place} ${record.side.padEnd(6)} ${oneLine(way, 40).padEnd(18)} ${oneLine(record.method, 24).padEnd(21)} ${oneLine(frame, 10).padEnd(8)} ${oneLine(record.id, 44)}  ${oneLine(record.body, 80)}`;
}

function sequence(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new PetrelError("USAGE", `--from "${text.slice(0, 40)}" is not a sequence number`, {
    path: "from",
  });
}
