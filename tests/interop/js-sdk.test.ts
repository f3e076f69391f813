/** The JS SDK's own client, one script over every binding: the same calls, the same answers. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Client, ClientFactory, ClientFactoryOptions } from "@a2a-js/sdk/client";
import { type Mesh, NATS_BINDING } from "../../a2a/mod.ts";
import { openMesh } from "../a2a/echo.ts";
import { runScript } from "./script.ts";
import { type InteropStand, startInterop } from "./stand.ts";

let interop: InteropStand;
let mesh: Mesh;
beforeAll(async () => {
  interop = await startInterop();
  mesh = await openMesh(interop.stand.nats.url, "sdk");
});
afterAll(async () => {
  await mesh.close();
  await interop[Symbol.asyncDispose]();
});

/** A client for the gateway's card, which names every binding, by the binding of our choice. */
async function clientBy(binding: string): Promise<Client> {
  const transports = [...ClientFactoryOptions.default.transports, mesh.transportFactory()];
  const overrides = { transports, preferredTransports: [binding] };
  const factory = new ClientFactory(
    ClientFactoryOptions.createFrom(ClientFactoryOptions.default, overrides),
  );
  const client = await factory.createFromUrl(`${interop.url}/.well-known/agent-card.json`, "");
  expect(client.transport.protocolName).toBe(binding);
  return client;
}

test.each([NATS_BINDING, "JSONRPC", "HTTP+JSON"])("the script over %s", async (binding) => {
  expect(await runScript(await clientBy(binding))).toEqual([
    'send: COMPLETED "That was all." [ahoy there]',
    "send again: the same task",
    "stream: task WORKING",
    'stream: WORKING "word 1 of 2"',
    "stream: artifact echo [one]",
    'stream: WORKING "word 2 of 2"',
    "stream: artifact echo [two] append last",
    'stream: COMPLETED "That was all."',
    'ask: INPUT_REQUIRED "What shall I say?"',
    'reply: COMPLETED "That was all." [this]',
    'get: COMPLETED "That was all." [this], history 1',
    "subscribe: task WORKING",
    'cancel: CANCELED "cancelled by its caller"',
    'subscribe: CANCELED "cancelled by its caller"',
    "get none: TaskNotFoundError",
    "cancel none: TaskNotFoundError",
    "subscribe to none: TaskNotFoundError",
    "subscribe to ended: UnsupportedOperationError",
    "cancel ended: TaskNotCancelableError",
    "send to ended: UnsupportedOperationError",
    "send a film: ContentTypeNotSupportedError",
    "send nothing: RequestMalformedError",
    "page of 0: RequestMalformedError",
    "webhook inside: RequestMalformedError",
    "extended card: UnsupportedOperationError",
    "create config: hook-1 https://hooks.petrel.example/a2a",
    "get config: hook-1 https://hooks.petrel.example/a2a",
    "list configs: hook-1",
    "delete config once: 0 left",
    "delete config twice: 0 left",
    "list: 3 of 5, more: true",
  ]);
});
