/**
 * `rpc` and `rpc-task`: A2A SendMessage over NATS with its audit on, beside plain NATS request-reply;
 * `rpc-http`: the same durable task beside one of the SDK's express server, in memory, over HTTP.
 * `rpc-async` and `rpc-strict`: the same beside itself with its audit thrown away. Two processes and a
 * real nats-server, all fresh for each run. After a run every envelope must be in
 * the AUDIT stream, from both ends.
 */
import { z } from "zod";
import type { Mesh } from "../../a2a/mod.ts";
import { type AuditEntry, readAudit, tallyAudit } from "../../bridge/mod.ts";
import { PetrelError } from "../../core/mod.ts";
import { startChild } from "../child.ts";
import { type Figure, figuresOf } from "../figure.ts";
import { startNats } from "../nats.ts";
import { type BenchContext, checkWork, type Run, runRounds } from "../run.ts";
import { ClientAnswer, type ClientTask } from "./client.ts";
import { type Load, workOf } from "./load.ts";
import { ServerAnswer, type ServerTask } from "./server.ts";
import { openMesh, type Side } from "./sides.ts";

const LOAD: Load = {
  warmUpCalls: 2_000,
  sequentialCalls: 3_000,
  concurrentCalls: 20_000,
  callers: 32,
  textBytes: 1_024,
};

const METRICS = [
  { name: "p50", unit: "ms" },
  { name: "p99", unit: "ms" },
  { name: "throughput", unit: "req/s" },
  { name: "cpu", unit: "us/call" },
] as const;

/** Reports of one round trip: request and response, from both ends. */
const REPORTS_PER_CALL = 4;
/** A task's changes, from the agent: as it is created, its artifact, its end. */
const EVENTS_PER_TASK = 3;

const START_TIMEOUT_MS = 20_000;
const RUN_TIMEOUT_MS = 180_000;
const END_TIMEOUT_MS = 90_000;

export async function benchRpc(context: BenchContext, load: Load = LOAD): Promise<Figure[]> {
  const side = (name: Side) => () => runSide(name, load, context);
  const sides = {
    raw: side("raw"),
    off: side("off"),
    message: side("message"),
    strict: side("strict"),
    task: side("task"),
    express: side("express"),
  };
  const { raw, off, message, strict, task, express } = await runRounds("rpc", sides, context);
  return [
    ...figuresOf("rpc", METRICS, message, raw),
    ...figuresOf("rpc-task", METRICS, task, raw),
    ...figuresOf("rpc-http", METRICS, task, express),
    ...figuresOf("rpc-async", METRICS, message, off),
    ...figuresOf("rpc-strict", METRICS, strict, off),
  ];
}

/** One run of one side. Throws when an answer or an envelope is missing. */
export async function runSide(side: Side, load: Load, context: BenchContext): Promise<Run> {
  const { signal } = context;
  await using nats = await startNats(context);
  const { url } = nats;
  await using server = startChild("rpc/server.ts", { side, url } satisfies ServerTask, signal);
  const ready = z.object({ ready: z.literal(true), url: z.string() });
  const { url: reachedAt } = await server.next(ready, START_TIMEOUT_MS);
  const task: ClientTask = { side, url: reachedAt, load };
  await using client = startChild("rpc/client.ts", task, signal);
  const atClient = await client.next(ClientAnswer, RUN_TIMEOUT_MS);
  server.release();
  const atServer = await server.next(ServerAnswer, END_TIMEOUT_MS);
  const { run } = atClient;
  const expected = workOf(load);
  checkWork(`rpc: ${side}`, run, expected);
  if (side !== "raw" && side !== "off" && side !== "express") {
    await checkAudit(url, side, expected.answered, atClient.reported + atServer.reported, signal);
  }
  // Of both processes, the audit and its end included; nats-server's is not in it.
  const cpu = (atClient.cpuMicros + atServer.cpuMicros) / expected.answered;
  return { ...run, cost: { ...run.cost, cpu } };
}

/** Throws INCOMPLETE unless both ends' reports of every call are stored, each once. */
async function checkAudit(
  url: string,
  side: "message" | "strict" | "task",
  calls: number,
  reported: number,
  signal: AbortSignal,
): Promise<void> {
  const mesh = await openMesh("bench-auditor", url, side);
  try {
    const { records, events, envelopes, halfReported, malformedPacks } = await tallyOf(
      mesh,
      signal,
    );
    const eventsExpected = side === "task" ? EVENTS_PER_TASK * calls : 0;
    const expected = REPORTS_PER_CALL * calls + eventsExpected;
    const isWhole = records === expected && reported === expected && envelopes === 2 * calls;
    if (isWhole && events === eventsExpected && halfReported === 0 && malformedPacks === 0) return;
    throw new PetrelError(
      "INCOMPLETE",
      `rpc: of ${expected} reports ${reported} were made and ${records} are stored: ${envelopes} envelopes, ${halfReported} from one end only`,
      { expected, reported, records, envelopes, halfReported, malformedPacks },
    );
  } finally {
    await mesh.close();
  }
}

async function tallyOf(mesh: Mesh, signal: AbortSignal) {
  let records = 0;
  let events = 0;
  /** A task's changes are reported by one end alone: they are no envelopes. */
  async function* counted(entries: AsyncIterable<AuditEntry>) {
    for await (const entry of entries) {
      if (entry.kind === "record") records++;
      if (entry.kind === "record" && entry.record.kind === "task") events++;
      else yield entry;
    }
  }
  const entries = readAudit({ js: mesh.js, jsm: mesh.jsm, follow: false, signal });
  const tally = await tallyAudit(counted(entries));
  return { ...tally, records, events };
}
