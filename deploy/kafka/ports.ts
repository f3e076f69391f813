/** Ports nobody listens on, for the nodes of a cluster, which have to know each other's beforehand. */
import { createServer } from "node:net";
import { PetrelError } from "../../core/mod.ts";
import { HOST } from "./properties.ts";

/**
 * Below the range from which the kernel takes the ports of outgoing connections: a client that calls
 * a dead broker on such a port can end up connected to itself.
 */
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;
const ATTEMPTS_MAX = 200;

/**
 * `count` different ports that were free a moment ago. Another process may take one before it is used.
 * @throws PetrelError UNAVAILABLE when hardly any port is free.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; attempt < ATTEMPTS_MAX && ports.size < count; attempt++) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  if (ports.size === count) return [...ports];
  throw new PetrelError("UNAVAILABLE", `no ${count} free ports from ${PORT_MIN} to ${PORT_MAX}`);
}

/** True when nobody listens on the port now. */
export function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(false));
  server.listen(port, HOST, () => server.close(() => resolve(true)));
  return promise;
}
