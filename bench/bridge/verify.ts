/**
 * `verify`: `petrel audit verify` of a million records in a real Kafka, a fresh process each time, and of a
 * tenth of them: the time, and whether memory stays.
 */
import { startChild } from "../child.ts";
import { type Figure, figuresOf } from "../figure.ts";
import { type BenchContext, checkWork, type Run } from "../run.ts";
import { runVerify } from "./command.ts";
import { BODY_BYTES, type Site, withSite } from "./site.ts";
import { type WriteTask, Written } from "./write.ts";

const RECORDS = 1_000_000;
const SHARE = 10;
/** A million records take half a minute: fewer rounds, and none to warm up. */
const ROUNDS_MAX = 3;
const WRITE_TIMEOUT_MS = 600_000;

const METRICS = [
  { name: "took", unit: "s" },
  { name: "records", unit: "records/s" },
  { name: "peak", unit: "MB" },
] as const;

export function benchVerify(context: BenchContext, records = RECORDS): Promise<Figure[]> {
  return withSite("verify", context, async (site) => {
    const tenth = await verifyRounds(site, "tenth", records / SHARE, context);
    const whole = await verifyRounds(site, "whole", records, context);
    return [...figuresOf("verify", METRICS, whole), ...figuresOf("verify-tenth", METRICS, tenth)];
  });
}

async function verifyRounds(
  site: Site,
  prefix: string,
  records: number,
  context: BenchContext,
): Promise<Run[]> {
  const { signal, onProgress } = context;
  onProgress(`verify: writing ${records} records`);
  const { brokers, keyFile } = site;
  const task: WriteTask = {
    brokers: [...brokers],
    prefix,
    keyFile,
    envelopes: records,
    bodyBytes: BODY_BYTES,
  };
  await using child = startChild("bridge/write.ts", task, signal);
  const written = await child.next(Written, WRITE_TIMEOUT_MS);
  checkWork("verify: writing", { work: written, cost: {} }, { records });
  const config = await site.configFile(prefix);
  const runs: Run[] = [];
  const rounds = Math.min(context.rounds, ROUNDS_MAX);
  for (let round = 1; round <= rounds; round++) {
    signal.throwIfAborted();
    onProgress(`verify: ${records} records: round ${round} of ${rounds}`);
    const { seconds, peakMegabytes: peak } = await runVerify(config, site.keyring, records, signal);
    runs.push({ work: { records }, cost: { took: seconds, records: records / seconds, peak } });
  }
  return runs;
}
