/** Kafka gone under load: the agents must not notice, the bridge must not grow, and nothing may be lost. */
import { readFile } from "node:fs/promises";
import { systemClock } from "../../core/mod.ts";
import { checkTrail, count, figure, promise, type Row } from "./check.ts";
import type { ChaosOptions } from "./plan.ts";
import type { ChaosReport } from "./run.ts";
import { Stage } from "./stage.ts";
import { makeWorld } from "./world.ts";

export interface AwayOptions extends Pick<ChaosOptions, "seed" | "bridges" | "petrel"> {
  /** How long Kafka is away, and how long the agents are measured before that. */
  readonly awayMs: number;
  readonly beforeMs: number;
  readonly callsPerSecond: number;
}

/** A bridge that holds what it cannot write would soon be above this. */
const RSS_BYTES_MAX = 400 * 1024 * 1024;

/** What was measured in one part of the run. */
interface Part {
  readonly latencies: readonly number[];
  readonly rssBytesMax: number;
}

export async function runAway(
  options: AwayOptions,
  onProgress: (doing: string) => void,
): Promise<ChaosReport> {
  const startedMs = systemClock.nowMs();
  const { awayMs, beforeMs, callsPerSecond } = options;
  onProgress("starting");
  await using world = await makeWorld();
  await using stage = new Stage(world, options);
  let rssBytesMax = 0;
  const weigh = async () => {
    const pid = stage.bridges.carrying?.pid ?? stage.bridges.children[0]?.pid ?? 0;
    rssBytesMax = Math.max(rssBytesMax, await rssBytes(pid));
  };
  stage.watch(() => void weigh());
  await stage.until("the agents are ready", () => stage.areAgentsReady);
  await stage.until("a bridge carries", () => stage.bridges.carrying !== undefined);
  const measured = async (ms: number): Promise<Part> => {
    const from = stage.truth.latencies.length;
    rssBytesMax = 0;
    await systemClock.sleep(ms, stage.signal);
    return { latencies: stage.truth.latencies.slice(from), rssBytesMax };
  };
  stage.callers.pace = callsPerSecond;
  onProgress("Kafka is there");
  // What is compiled and connected first is not measured.
  await systemClock.sleep(beforeMs / 4, stage.signal);
  const before = await measured(beforeMs);
  onProgress("Kafka is away");
  await world.kafka.kill9();
  const during = await measured(awayMs);
  onProgress("Kafka comes back");
  await world.kafka.restart();
  const backMs = systemClock.nowMs();
  await stage.carried();
  const caughtUpS = (systemClock.nowMs() - backMs) / 1_000;
  const failed = [...(await stage.stopAgents())];
  await stage.carried();
  failed.push(...(await stage.stopBridges()));
  onProgress("checking");
  await stage.truth.update();
  const { asked, answered } = stage.truth;
  const unanswered = [...asked].filter((traceId) => !answered.has(traceId));
  const rows: Row[] = [
    figure("calls while Kafka was there", words(before)),
    figure("calls while Kafka was away", words(during)),
    promise("calls without an answer", unanswered),
    figure("bridge, most memory while it was there", mebibytes(before)),
    figure("bridge, most memory while it was away", mebibytes(during)),
    promise("that is too much", isLarge(during) ? [mebibytes(during)] : []),
    figure("lag back to zero after", `${caughtUpS.toFixed(1)} s`),
    promise("did not end in order", failed),
    ...(await checkTrail(world, stage.truth, stage.signal)),
  ];
  const isGood = rows.every(({ isBroken }) => !isBroken);
  if (isGood) world.drop();
  const seconds = Math.round((systemClock.nowMs() - startedMs) / 1_000);
  return { rows, isGood, seconds, dir: world.dir };
}

function words({ latencies }: Part): string {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number) => `${(sorted[Math.floor(share * sorted.length)] ?? 0).toFixed(1)} ms`;
  return `${count(sorted.length)} · p50 ${at(0.5)} · p99 ${at(0.99)}`;
}

function mebibytes({ rssBytesMax }: Part): string {
  return `${Math.round(rssBytesMax / 1024 ** 2)} MiB`;
}

function isLarge({ rssBytesMax }: Part): boolean {
  return rssBytesMax > RSS_BYTES_MAX;
}

/** Resident memory of a process; 0 when it is gone, or where there is no /proc. */
async function rssBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "latin1").catch(() => "");
  return 1024 * Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0);
}
