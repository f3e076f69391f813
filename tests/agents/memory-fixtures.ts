/** A store in this process that can be away, for tests of what agents remember. Never used in production. */
import type { KV } from "@nats-io/kv";

export interface Store {
  readonly kv: KV;
  readonly values: Map<string, Uint8Array>;
  isAway: boolean;
}

export function storeOf(): Store {
  const values = new Map<string, Uint8Array>();
  const answer = async () => {
    // Another turn of the event loop, as over a network.
    await new Promise((resolve) => setImmediate(resolve));
    if (store.isAway) throw new Error("no answer");
  };
  const kv = {
    get: async (key: string) => {
      await answer();
      const value = values.get(key);
      return value === undefined ? null : { operation: "PUT", value };
    },
    put: async (key: string, value: Uint8Array) => {
      await answer();
      values.set(key, value);
      return 1;
    },
  } as unknown as KV;
  const store: Store = { kv, values, isAway: false };
  return store;
}
