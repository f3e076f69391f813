/**
 * One write to the socket for a turn of the event loop, whatever was published in it. The library writes
 * once for every message that an answer or a record follows from, and a write is the dearest thing a
 * serving process does: durable tasks are a tenth faster so (`make bench ARGS=rpc`).
 */
import type { NatsConnection } from "@nats-io/nats-core";
import { NatsConnectionImpl } from "@nats-io/nats-core/internal";

/** So much is written at once, however long the turn is yet. */
const WRITE_BYTES_MAX = 64 * 1024;

/** Changes how `nc` writes, for as long as it lives; nothing else about it. */
export function coalesceWrites(nc: NatsConnection): void {
  if (!(nc instanceof NatsConnectionImpl)) return;
  const { protocol } = nc;
  // Private to the library: without it the connection writes as it always did.
  const flush: unknown = Reflect.get(protocol, "flushPending");
  if (typeof flush !== "function") return;
  const write = () => void flush.call(protocol);
  let isPlanned = false;
  Reflect.set(protocol, "flushPending", () => {
    if (protocol.outbound.size() >= WRITE_BYTES_MAX) {
      write();
    } else if (!isPlanned) {
      isPlanned = true;
      setImmediate(() => {
        isPlanned = false;
        write();
      });
    }
  });
}
