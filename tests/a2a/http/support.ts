/** A gateway over a real mesh: NATS, the agents of tests/a2a/echo.ts, and Bun's server in front. */
import type { AgentCard } from "@a2a-js/sdk";
import { SendMessageRequest } from "@a2a-js/sdk";
import { type GatewayOptions, makeGateway } from "../../../a2a/http/mod.ts";
import type { AgentDefinition, Mesh } from "../../../a2a/mod.ts";
import { newId, silentLogger } from "../../../core/mod.ts";
import { startNats } from "../../support/nats.ts";
import { until } from "../../support/until.ts";
import { echo, openMesh, worker } from "../echo.ts";

export interface Stand extends AsyncDisposable {
  readonly url: string;
  readonly nats: Awaited<ReturnType<typeof startNats>>;
  /** Serves the agents. */
  readonly agents: Mesh;
  /** The gateway's own place in the mesh. */
  readonly gateway: Mesh;
  readonly open: () => { requests: number; streams: number };
  cards(name: string): AgentCard | undefined;
}

export async function startStand(
  options: Partial<GatewayOptions> & { readonly serve?: readonly AgentDefinition[] } = {},
): Promise<Stand> {
  const nats = await startNats();
  const agents = await openMesh(nats.url, "agents");
  const mesh = await openMesh(nats.url, "gateway");
  const served = [echo, worker, ...(options.serve ?? [])];
  for (const agent of served) await agents.serve(agent);
  const cards = (name: string) => mesh.registry.list().find(({ agent }) => agent === name)?.card;
  await until("the gateway knows every agent", () =>
    served.every(({ name }) => cards(name) !== undefined),
  );
  const { nc, outbox, clock, instance } = mesh;
  let url = "";
  const gateway = makeGateway({
    nc,
    outbox,
    clock,
    instance,
    log: silentLogger,
    caller: "gateway",
    cards,
    agents: () => [...new Set(mesh.registry.list().map(({ agent }) => agent))],
    publicUrl: () => url,
    ...options,
  });
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 30,
    fetch: (request, bun) => gateway.fetch(request, bun),
  });
  url = `http://127.0.0.1:${server.port}`;
  return {
    url,
    nats,
    agents,
    gateway: mesh,
    open: gateway.open,
    cards,
    [Symbol.asyncDispose]: async () => {
      await server.stop(true);
      gateway.close();
      await mesh.close();
      await agents.close();
      await nats[Symbol.asyncDispose]();
    },
  };
}

export const V1 = { "a2a-version": "1.0" };
export const JSON_V1 = { ...V1, "content-type": "application/json" };

/** One JSON-RPC request of A2A 1.0. */
export function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { ...JSON_V1, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

export function rpc(method: string, params: unknown, id: string | number = 1) {
  return { jsonrpc: "2.0", id, method, params };
}

/** `params` of SendMessage, as JSON. */
export function sending(data: unknown, text = "hello"): Record<string, unknown> {
  const message = { messageId: newId(), role: "ROLE_USER", parts: [{ text }, { data }] };
  return { message };
}

export function sendRequest(data: unknown, text = "hello"): SendMessageRequest {
  return SendMessageRequest.fromJSON(sending(data, text));
}

export interface SseEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
  readonly comment?: string;
}

/** Events of a stream, read to its end, as RFC-like fields. */
export function parseEvents(text: string): SseEvent[] {
  return text
    .split("\n\n")
    .filter(Boolean)
    .map((block) => {
      const found: Record<string, string> = {};
      for (const line of block.split("\n")) {
        const at = line.indexOf(":");
        const name = at === 0 ? "comment" : line.slice(0, at);
        const value = line.slice(at + 1).replace(/^ /, "");
        found[name] = found[name] === undefined ? value : `${found[name]}\n${value}`;
      }
      return found;
    });
}
