/**
 * `stream`: a durable task of 2,000 chunks and one of 4,000, streamed to a client over NATS and over HTTP.
 * What is of interest is the second's time by the first's: 2 where each chunk costs the same.
 */
import { SendMessageRequest } from "@a2a-js/sdk";
import { type Client, ClientFactory, type Transport } from "@a2a-js/sdk/client";
import { z } from "zod";
import { callParameters } from "../../a2a/mod.ts";
import { newId, newTrace } from "../../core/mod.ts";
import { startChild } from "../child.ts";
import { type Figure, figuresOf } from "../figure.ts";
import { startNats } from "../nats.ts";
import { type BenchContext, checkWork, Run, runRounds } from "../run.ts";
import { answer, readTask } from "../worker.ts";
import { openMesh, Serving, streamer } from "./agents.ts";

const FEW = 2_000;
/** Streams of each size; their times are added up. */
const TIMES = 3;
const TIMEOUT_MS = 120_000;

const Task = z.object({
  url: z.string(),
  http: z.string(),
  over: z.enum(["nats", "http"]),
  few: z.number(),
});

const METRICS = [
  { name: "2000 chunks", unit: "ms" },
  { name: "4000 chunks", unit: "ms" },
  { name: "4000/2000", unit: "times" },
] as const;

export async function benchStream(context: BenchContext, few = FEW): Promise<Figure[]> {
  const side = (over: "nats" | "http") => () => runOnce(over, few, context);
  const sides = { nats: side("nats"), http: side("http") };
  const { nats, http } = await runRounds("stream", sides, context);
  return [...figuresOf("stream-nats", METRICS, nats), ...figuresOf("stream-http", METRICS, http)];
}

async function runOnce(over: "nats" | "http", few: number, context: BenchContext): Promise<Run> {
  const { signal } = context;
  await using nats = await startNats(context);
  const { url } = nats;
  await using server = startChild("mesh/agents.ts", { url }, signal);
  const { http } = await server.next(Serving, TIMEOUT_MS);
  await using client = startChild("mesh/stream.ts", { url, http, over, few }, signal);
  const run = await client.next(Run, TIMEOUT_MS);
  checkWork(`stream: ${over}`, run, { chunks: 3 * few * TIMES + few });
  return run;
}

/** Anything that streams the answer to a message: the SDK's client over HTTP, or our transport. */
type Streaming = Pick<Transport, "sendMessageStream"> | Pick<Client, "sendMessageStream">;

/** The time of one stream to its end, in ms, and the chunks that came. */
async function timed(client: Streaming, count: number): Promise<{ ms: number; chunks: number }> {
  const message = { messageId: newId(), role: "ROLE_USER", parts: [{ text: String(count) }] };
  const serviceParameters = callParameters({ timeoutMs: TIMEOUT_MS, trace: newTrace() });
  const startMs = performance.now();
  let chunks = 0;
  const request = SendMessageRequest.fromJSON({ message });
  for await (const { payload } of client.sendMessageStream(request, { serviceParameters })) {
    if (payload?.$case === "artifactUpdate") chunks++;
  }
  return { ms: performance.now() - startMs, chunks };
}

async function measure(client: Streaming, few: number): Promise<Run> {
  let fewMs = 0;
  let manyMs = 0;
  let { chunks } = await timed(client, few);
  for (let time = 0; time < TIMES; time++) {
    const once = await timed(client, few);
    const twice = await timed(client, 2 * few);
    fewMs += once.ms / TIMES;
    manyMs += twice.ms / TIMES;
    chunks += once.chunks + twice.chunks;
  }
  return {
    work: { chunks },
    cost: { "2000 chunks": fewMs, "4000 chunks": manyMs, "4000/2000": manyMs / fewMs },
  };
}

if (import.meta.main) {
  const { url, http, over, few } = readTask(Task);
  const mesh = await openMesh(url, "bench-client");
  const client =
    over === "nats"
      ? mesh.transport(streamer.name)
      : await new ClientFactory().createFromUrl(`${http}/agents/${streamer.name}/`);
  answer(await measure(client, few));
  await mesh.close();
}
