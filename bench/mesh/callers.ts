/**
 * `callers`: 1,000 callers of one replica for a minute, each with one task after another. A replica has
 * room for 256 at a time; the others are told to come back, and do. Any other error ends the run. What the
 * serving process holds is read before, and again when it had ten seconds to itself.
 */
import { SendMessageRequest } from "@a2a-js/sdk";
import { z } from "zod";
import { callParameters, type NatsTransport } from "../../a2a/mod.ts";
import { newId, newTrace, PetrelError } from "../../core/mod.ts";
import { startChild } from "../child.ts";
import { type Figure, figuresOf } from "../figure.ts";
import { megabytesOf } from "../memory.ts";
import { startNats } from "../nats.ts";
import { type BenchContext, runRounds } from "../run.ts";
import { answer, readTask } from "../worker.ts";
import { openMesh, Serving, streamer } from "./agents.ts";

const SIZE = { callers: 1_000, seconds: 60, warmUpSeconds: 10, restMs: 10_000 };
type Size = typeof SIZE;
const CALL_TIMEOUT_MS = 30_000;
const START_TIMEOUT_MS = 60_000;

const Task = z.object({ url: z.string(), callers: z.number(), seconds: z.number() });
const Answered = z.object({ answered: z.number(), overloaded: z.number() });

const METRICS = [
  { name: "answered", unit: "tasks/s" },
  { name: "overloaded", unit: "refusals/s" },
  { name: "other errors", unit: "" },
  { name: "before", unit: "MB" },
  { name: "after", unit: "MB" },
] as const;

export async function benchCallers(context: BenchContext, size: Size = SIZE): Promise<Figure[]> {
  // A minute says enough: one round is the warm-up, and one counts.
  const once = { ...context, rounds: 1 };
  const { petrel } = await runRounds("callers", { petrel: () => runOnce(context, size) }, once);
  return figuresOf("callers", METRICS, petrel);
}

async function runOnce(context: BenchContext, { callers, seconds, warmUpSeconds, restMs }: Size) {
  const { signal } = context;
  await using nats = await startNats(context);
  const { url } = nats;
  await using server = startChild("mesh/agents.ts", { url }, signal);
  const { pid } = await server.next(Serving, START_TIMEOUT_MS);
  await crowd({ url, callers, seconds: warmUpSeconds }, signal);
  await Bun.sleep(restMs);
  const before = await megabytesOf(pid);
  const { answered, overloaded } = await crowd({ url, callers, seconds }, signal);
  await Bun.sleep(restMs);
  const after = await megabytesOf(pid);
  return {
    work: { callers },
    cost: {
      answered: answered / seconds,
      overloaded: overloaded / seconds,
      "other errors": 0,
      before,
      after,
    },
  };
}

async function crowd(task: z.infer<typeof Task>, signal: AbortSignal) {
  await using client = startChild("mesh/callers.ts", task, signal);
  return await client.next(Answered, task.seconds * 1_000 + START_TIMEOUT_MS);
}

/** One caller: one task after another until `endMs`; told to come back, it does. */
async function callUntil(endMs: number, transport: NatsTransport, sums: z.infer<typeof Answered>) {
  while (performance.now() < endMs) {
    const message = { messageId: newId(), role: "ROLE_USER", parts: [{ text: "1" }] };
    const serviceParameters = callParameters({ timeoutMs: CALL_TIMEOUT_MS, trace: newTrace() });
    try {
      await transport.sendMessage(SendMessageRequest.fromJSON({ message }), { serviceParameters });
      sums.answered++;
    } catch (error) {
      if (!(error instanceof PetrelError && error.code === "OVERLOADED")) throw error;
      sums.overloaded++;
      await Bun.sleep(Number(error.fields.retryAfterMs) * Math.random());
    }
  }
}

if (import.meta.main) {
  const { url, callers, seconds } = readTask(Task);
  const mesh = await openMesh(url, "bench-callers");
  const transport = mesh.transport(streamer.name);
  const sums = { answered: 0, overloaded: 0 };
  const endMs = performance.now() + seconds * 1_000;
  await Promise.all(Array.from({ length: callers }, () => callUntil(endMs, transport, sums)));
  answer(sums);
  await mesh.close();
}
