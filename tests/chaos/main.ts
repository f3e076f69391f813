#!/usr/bin/env bun
/**
 * The promises of the audit, held against kill -9: `make chaos-audit`, or `bun tests/chaos/main.ts` with
 * the options of {@link HELP}. docs/chaos.md tells what is done and what is counted.
 */
import { parseArgs } from "node:util";
import {
  asPetrelError,
  ERROR_CODES,
  messageOf,
  PetrelError,
  parseDurationMs,
} from "../../core/mod.ts";
import { runAway } from "./away.ts";
import { count } from "./check.ts";
import type { ChaosOptions } from "./plan.ts";
import { type ChaosProgress, type ChaosReport, runChaos } from "./run.ts";

const HELP = `usage: bun tests/chaos/main.ts [--seed N] [--envelopes N] [--bridge-kills N] [--nats-kills N]
         [--kafka-kills N] [--agent-kills N] [--bridges 1|2] [--petrel FILE] [--kafka-away DURATION]

  --seed N          the plan of kills follows from it; default: a new one, which is printed
  --petrel FILE     the program that runs as the bridge, such as dist/petrel; default: the sources
  --kafka-away 10m  nobody is killed but Kafka, which stays away so long under load
Ends with status 0 when every promise held, else with 1.
`;

/** Of a run in which Kafka is away. */
const LOAD = { beforeMs: 60_000, callsPerSecond: 100 };

const OPTIONS = {
  seed: { type: "string" },
  envelopes: { type: "string", default: "200000" },
  "bridge-kills": { type: "string", default: "50" },
  "nats-kills": { type: "string", default: "10" },
  "kafka-kills": { type: "string", default: "10" },
  "agent-kills": { type: "string", default: "20" },
  bridges: { type: "string", default: "1" },
  petrel: { type: "string" },
  "kafka-away": { type: "string" },
  help: { type: "boolean", default: false },
} as const;

interface Asked extends ChaosOptions {
  /** For so long Kafka is away, and nobody else is killed. */
  readonly awayMs: number | undefined;
}

/** Throws USAGE naming the option that is wrong. */
export function readOptions(argv: readonly string[]): Asked | "help" {
  const { values } = parse(argv);
  if (values.help) return "help";
  const number = (name: keyof typeof OPTIONS, min = 0): number => {
    const value = Number(values[name]);
    if (Number.isSafeInteger(value) && value >= min) return value;
    throw new PetrelError("USAGE", `--${name} "${values[name]}" is not a whole number from ${min}`);
  };
  const away = values["kafka-away"];
  const bridges = number("bridges", 1);
  if (bridges !== 1 && bridges !== 2) throw new PetrelError("USAGE", "--bridges is 1 or 2");
  return {
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : number("seed"),
    envelopes: number("envelopes", 100),
    bridges,
    bridgeKills: number("bridge-kills"),
    natsKills: number("nats-kills"),
    kafkaKills: number("kafka-kills"),
    agentKills: number("agent-kills"),
    petrel: values.petrel,
    awayMs: away === undefined ? undefined : parseDurationMs(away, "--kafka-away"),
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS });
  } catch (error) {
    throw new PetrelError("USAGE", messageOf(error), {}, error);
  }
}

/** One line that is written over on a terminal; elsewhere a line now and then. */
function progressLine(envelopesMax: number): (progress: ChaosProgress) => void {
  let shown = "";
  return ({ doing, envelopes, kills }) => {
    const { bridge, nats, kafka, agent } = kills;
    const of = `${count(envelopes)} of ${count(envelopesMax)} envelopes`;
    const text = `${of} · killed: bridge ${bridge} nats ${nats} kafka ${kafka} agents ${agent} · ${doing}`;
    const tenth = `${doing} ${Math.floor((10 * envelopes) / envelopesMax)}`;
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
    else if (tenth !== shown) process.stderr.write(`${text}\n`);
    shown = tenth;
  };
}

export function tableOf({ rows }: Pick<ChaosReport, "rows">): string {
  const width = Math.max(...rows.map(({ name }) => name.length));
  const lines = rows.map(({ name, found, isBroken }) => {
    return `${isBroken ? "✗" : " "} ${name.padEnd(width)}  ${found}`;
  });
  return `${lines.join("\n")}\n`;
}

async function main(argv: readonly string[]): Promise<number> {
  const options = readOptions(argv);
  if (options === "help") {
    process.stdout.write(HELP);
    return 0;
  }
  const { seed, envelopes, bridges, awayMs } = options;
  process.stdout.write(
    `chaos-audit  seed ${seed} · ${count(envelopes)} envelopes · bridges ${bridges}\n`,
  );
  const report =
    awayMs === undefined
      ? await runChaos(options, progressLine(envelopes))
      : await runAway({ ...options, ...LOAD, awayMs }, (doing) => console.error(doing));
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  process.stdout.write(tableOf(report));
  const verdict = report.isGood ? "every promise held" : `BROKEN; logs in ${report.dir}`;
  process.stdout.write(`${verdict} · ${report.seconds} s · again: --seed ${seed}\n`);
  return report.isGood ? 0 : 1;
}

/** A run that cannot go on is as bad as one whose promises were broken. */
function failed(error: unknown): number {
  const { code, message } = asPetrelError(error, "INTERNAL", "chaos-audit");
  process.stderr.write(`\nerror ${code}: ${message}\n`);
  return code === "USAGE" ? ERROR_CODES.USAGE.exitCode : 1;
}

if (import.meta.main) {
  for (const event of ["SIGINT", "SIGTERM"] as const) process.once(event, () => process.exit(130));
  process.exit(await main(process.argv.slice(2)).catch(failed));
}
