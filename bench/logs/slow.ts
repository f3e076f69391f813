/**
 * The process of one run of `logs-slow`: the stand-in and its reader in one process, so that the
 * reader can tell the stand-in's gauge what it has taken. What the gauge then shows is what waits
 * between the two: in the reader, in the kernel's sockets, in the stand-in.
 */
import { z } from "zod";
import { systemClock } from "../../core/mod.ts";
import { type SplunkSim, startSplunkSim, volumeRows } from "../../sim/mod.ts";
import type { Run } from "../run.ts";
import { answer, readTask } from "../worker.ts";
import { fetchExport, openRows, TOKEN } from "./source.ts";

export const SlowTask = z.object({
  rows: z.number(),
  /** How many times slower than at full speed, which is measured first; 0 for a reader of the whole. */
  slowness: z.number(),
});
export type SlowTask = z.infer<typeof SlowTask>;

interface Slow {
  readonly rows: number;
  readonly bytes: number;
  readonly ms: number;
}

/** Reads batch by batch; after each it sleeps until `msPerRow` has passed for every row so far. */
async function readPaced(sim: SplunkSim, msPerRow: number): Promise<Slow> {
  const startMs = performance.now();
  const passedMs = () => performance.now() - startMs;
  let rows = 0;
  let bytes = 0;
  for await (const batch of openRows(sim.url, new AbortController().signal)) {
    rows += batch.rows.length;
    bytes += batch.bytes;
    const earlyMs = rows * msPerRow - passedMs();
    if (earlyMs > 0) await systemClock.sleep(earlyMs);
    sim.gauge.read(batch.bytes);
  }
  return { rows, bytes, ms: passedMs() };
}

/** Takes all there is before it looks at a line. */
async function readWhole(sim: SplunkSim): Promise<Slow> {
  const startMs = performance.now();
  const text = await (await fetchExport(sim.url)).text();
  const bytes = Buffer.byteLength(text);
  sim.gauge.read(bytes);
  const rows = text.split("\n").filter((line) => line !== "").length;
  return { rows, bytes, ms: performance.now() - startMs };
}

async function withSim<T>(rows: number, read: (sim: SplunkSim) => Promise<T>) {
  const sim = startSplunkSim({ rows: volumeRows({ rows }), tokens: [TOKEN] });
  try {
    return { read: await read(sim), inFlightBytes: sim.gauge.unreadBytesMax };
  } finally {
    await sim.stop();
  }
}

async function runSlow({ rows, slowness }: SlowTask): Promise<Run> {
  const fast = await withSim(rows, (sim) => readPaced(sim, 0));
  const msPerRow = (fast.read.ms / rows) * slowness;
  const { read, inFlightBytes } = await withSim(rows, (sim) =>
    slowness === 0 ? readWhole(sim) : readPaced(sim, msPerRow),
  );
  return {
    work: { rows: read.rows, bytes: read.bytes },
    cost: { inFlight: inFlightBytes / 1e6, lines: (read.rows * 1_000) / read.ms },
  };
}

if (import.meta.main) answer(await runSlow(readTask(SlowTask)));
