#!/usr/bin/env bun
/**
 * The promises of alarms, held against kill -9: `make chaos-alarms`, or `bun tests/chaos/alarms/main.ts`
 * with the options of {@link HELP}. docs/chaos.md tells what is done and what is counted.
 */
import { parseArgs } from "node:util";
import { messageOf } from "../../../core/mod.ts";
import { Lane } from "./lane.ts";
import { SINKS } from "./plan.ts";
import type { RunReport } from "./run.ts";

const HELP = `usage: bun tests/chaos/alarms/main.ts [--seed N] [--runs N] [--from N] [--lanes N]

  --runs N   default 200
  --from N   the number of the first run, to do one again; default 0
  --lanes N  side by side, each with its own server; default 2
Ends with status 0 when every promise held, else with 1.
`;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) },
    runs: { type: "string", default: "200" },
    from: { type: "string", default: "0" },
    lanes: { type: "string", default: "2" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const [seed, runs, from] = [Number(values.seed), Number(values.runs), Number(values.from)];
const startedMs = performance.now();
const reports: RunReport[] = [];
let failed = 0;
let next = from;
process.stdout.write(`chaos-alarms  seed ${seed} · ${runs} runs\n`);
await Promise.all(Array.from({ length: Number(values.lanes) }, runSome));
process.stdout.write(`${tableOf(reports).join("\n")}\n`);
const isGood = failed + broken() === 0;
const seconds = Math.round((performance.now() - startedMs) / 1_000);
process.stdout.write(
  `${isGood ? "every promise held" : "BROKEN"} · ${seconds} s · again: --seed ${seed}\n`,
);
process.exit(isGood ? 0 : 1);

async function runSome(): Promise<void> {
  const lane = await Lane.open(seed);
  while (next < from + runs) {
    const nth = next++;
    try {
      const report = await lane.run(nth);
      reports.push(report);
      if (report.broken.length > 0) tell(nth, report.broken.join("; "), report);
    } catch (error) {
      failed++;
      tell(nth, messageOf(error));
    }
    progress();
  }
  // The logs of what went wrong stay.
  await lane.close({ keepLogs: failed + broken() > 0 });
}

function tell(nth: number, what: string, report?: RunReport): void {
  const plan = report ? ` ${JSON.stringify({ ...report.plan, killedAt: report.killedAt })}` : "";
  process.stdout.write(`broken: run ${nth}: ${what}${plan}\n`);
}

function progress(): void {
  const done = reports.length + failed;
  const text = `${done} of ${runs} runs · ${failed + broken()} broken`;
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}${done === runs ? "\n" : ""}`);
  else if (done % 10 === 0 || done === runs) process.stderr.write(`${text}\n`);
}

function broken(): number {
  return reports.filter((report) => report.broken.length > 0).length;
}

function tableOf(all: readonly RunReport[]): string[] {
  const sum = (of: (report: RunReport) => number) => all.reduce((total, one) => total + of(one), 0);
  const counted = (of: (report: RunReport) => string) =>
    [...Map.groupBy(all, of)]
      .sort(([, a], [, b]) => b.length - a.length)
      .map(([name, { length }]) => `${name} ${length}`)
      .join(", ");
  const took = all.map(({ recoveredMs }) => recoveredMs).sort((a, b) => a - b);
  const at = (share: number) =>
    `${((took[Math.min(took.length - 1, Math.floor(share * took.length))] ?? 0) / 1_000).toFixed(1)} s`;
  const rows: (readonly [string, string | number])[] = [
    ["runs", `${all.length}: ${counted(({ plan }) => plan.kind)}`],
    ["killed -9", `${sum(({ kills }) => kills)} times`],
    [
      "at which point",
      counted(({ killedAt, plan }) => (killedAt === "after" ? `after (${plan.point})` : killedAt)),
    ],
    ...SINKS.map((sink) => {
      const more = sum(({ duplicates }) => duplicates[sink]);
      return [
        `${sink}: deliveries`,
        `${sum(({ deliveries }) => deliveries[sink])}, again ${more}`,
      ] as const;
    }),
    ["missing", sum(({ missing }) => missing)],
    ["runs with a broken promise", failed + broken()],
    ["from the kill until all was done", `p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)}`],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, found]) => `  ${name.padEnd(width)}  ${found}`);
}
