/** What the kit is pointed at: a gateway that reaches the conformance agent over NATS. */
import { type GatewayOptions, makeGateway } from "../../a2a/http/mod.ts";
import { AddressGuard, Mesh } from "../../a2a/mod.ts";
import { makeLogger } from "../../core/mod.ts";
import { startNats } from "../support/nats.ts";
import { until } from "../support/until.ts";
import { tckAgent } from "./agent.ts";

export interface TckStand extends AsyncDisposable {
  /** The agent's address at the gateway. */
  readonly url: string;
}

export async function startTckStand(options: Partial<GatewayOptions> = {}): Promise<TckStand> {
  const stack = new AsyncDisposableStack();
  const log = makeLogger({ level: "error" });
  const nats = stack.use(await startNats());
  // The kit's own webhook, which it listens with on this host.
  const webhooks = { guard: new AddressGuard({ allow: ["localhost"], allowHttp: true }) };
  const open = async (name: string) => {
    const mesh = await Mesh.open({ servers: [nats.url], name, log, webhooks });
    stack.defer(() => mesh.close());
    return mesh;
  };
  const agents = await open("agents");
  const { nc, outbox, clock, instance, registry } = await open("gateway");
  await agents.serve(tckAgent);
  const cards = (name: string) => registry.list().find(({ agent }) => agent === name)?.card;
  await until("the gateway knows the agent", () => cards(tckAgent.name) !== undefined);
  let base = "";
  const gateway = makeGateway({
    nc,
    outbox,
    clock,
    instance,
    log,
    cards,
    caller: "gateway",
    agents: () => [tckAgent.name],
    publicUrl: () => base,
    ...options,
  });
  stack.defer(() => gateway.close());
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 30,
    fetch: (request, bun) => gateway.fetch(request, bun),
  });
  stack.defer(() => server.stop(true));
  base = `http://127.0.0.1:${server.port}`;
  const url = `${base}/agents/${tckAgent.name}`;
  return { url, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
