/** The agents of the mesh's cases, and the process that serves them over NATS and HTTP. */
import { z } from "zod";
import { makeGateway } from "../../a2a/http/mod.ts";
import { type AgentDefinition, Mesh, type Turn, type TurnResult, textPart } from "../../a2a/mod.ts";
import { type Logger, silentLogger } from "../../core/mod.ts";
import { answer, readTask, untilReleased } from "../worker.ts";

export const ServeTask = z.object({ url: z.string() });
export const Serving = z.object({ http: z.string(), pid: z.number() });

const CHUNK = "x".repeat(256);

/** `<chunks>` as text: so many chunks of 256 bytes, as fast as they are taken. */
export const streamer: AgentDefinition = {
  name: "bench-streamer",
  description: "Streams chunks.",
  version: "1.0.0",
  skills: [{ id: "stream", name: "Stream", description: "Streams chunks.", tags: ["bench"] }],
  repeatable: true,
  run: stream,
};

async function stream(turn: Turn): Promise<TurnResult> {
  const count = Number(turn.text);
  for (let n = 1; n <= count; n++)
    await turn.chunk("chunks", textPart(CHUNK), { last: n === count });
  return { kind: "completed", text: "done" };
}

export function openMesh(url: string, name: string, log: Logger = silentLogger): Promise<Mesh> {
  return Mesh.open({ servers: [url], name, log });
}

if (import.meta.main) {
  const { url } = readTask(ServeTask);
  const mesh = await openMesh(url, "bench-server");
  await mesh.serve(streamer);
  const edge = await openMesh(url, "bench-gateway");
  const { nc, outbox, clock, log, name: caller, instance, registry } = edge;
  outbox.open();
  await registry.ready();
  let http = "";
  const gateway = makeGateway({
    nc,
    outbox,
    clock,
    log,
    caller,
    instance,
    cards: (name) => registry.find({ agent: name })[0]?.card,
    agents: () => registry.list().map(({ agent }) => agent),
    publicUrl: () => http,
  });
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: (request, connection) => gateway.fetch(request, connection),
  });
  http = `http://127.0.0.1:${server.port}`;
  answer({ http, pid: process.pid });
  await untilReleased();
  await server.stop(true);
  gateway.close();
  await Promise.all([mesh.close(), edge.close()]);
}
