#!/usr/bin/env bun
/**
 * The promises of durable tasks, held against faults: `make chaos-tasks`, or `bun tests/chaos/tasks/main.ts`
 * with the options of {@link HELP}. docs/chaos.md tells what is done and what is counted.
 */
import { parseArgs } from "node:util";
import { FAULTS, type Fault, Lane, type RunReport } from "./run.ts";

const HELP = `usage: bun tests/chaos/tasks/main.ts [--seed N] [--runs N] [--lanes N] [--fault kill|nats|move]

  --runs N   of each fault; default 200
  --lanes N  side by side, each with its own server and replicas; default 3
Ends with status 0 when every promise held, else with 1.
`;

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: String(crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) },
    runs: { type: "string", default: "200" },
    lanes: { type: "string", default: "3" },
    fault: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}

const seed = Number(values.seed);
const runs = Number(values.runs);
const faults = FAULTS.filter((fault) => values.fault === undefined || fault === values.fault);
process.stdout.write(`seed ${seed}, ${runs} runs of each of ${faults.join(", ")}\n`);
const reports: RunReport[] = [];
let isBroken = false;
for (const fault of faults) await all(fault);
process.exit(isBroken ? 1 : 0);

async function all(fault: Fault): Promise<void> {
  let left = runs;
  let done = 0;
  const mine: RunReport[] = [];
  const lanes = Array.from({ length: Number(values.lanes) }, async (_, nth) => {
    const lane = await Lane.open(seed + nth);
    while (left-- > 0) {
      const report = await lane.run(fault);
      mine.push(report);
      if (report.broken.length > 0) process.stdout.write(`broken: ${JSON.stringify(report)}\n`);
      if (++done % 20 === 0) process.stderr.write(`${fault} ${done}/${runs}\n`);
    }
    await lane.close();
  });
  await Promise.all(lanes);
  reports.push(...mine);
  const broken = mine.filter((report) => report.broken.length > 0).length;
  if (broken > 0) isBroken = true;
  const took = mine.map(({ recoveredMs }) => recoveredMs).sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round(took[Math.min(took.length - 1, Math.floor(share * took.length))] ?? 0);
  const overs = mine.flatMap(({ takenOverMs }) => takenOverMs ?? []).sort((a, b) => a - b);
  const over = overs.length > 0 ? `; taken over after at most ${overs.at(-1)} ms` : "";
  const events = mine.reduce((sum, report) => sum + report.events, 0);
  process.stdout.write(
    `${fault.padEnd(5)} ${mine.length} runs, ${events} events, ${broken} broken; from the fault to the end p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms${over}\n`,
  );
}
