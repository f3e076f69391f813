/**
 * A real schema registry for a test, with the interface of Confluent's; empty, in memory, gone at the
 * end of the block.
 *
 *     await using registry = await startRegistry();
 *     await fetch(`${registry.url}/subjects`);
 *
 * A local process in every runtime of the tests. It needs Java, as Kafka does: a file of such tests
 * begins with `const test = await testWithRegistry();`.
 */
import { test } from "bun:test";
import { messageOf } from "../../core/mod.ts";
import { onFreePort, startChild } from "./process.ts";
import { programForTests } from "./runtime.ts";

const READY = /Listening on: http/;
const READY_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 5_000;

export interface SchemaRegistry extends AsyncDisposable {
  /** The root of the Confluent interface, version 7; subjects are below it. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Dotted numbers. */
  readonly version: string;
  kill9(): Promise<void>;
}

/** Starts a registry; rejects with its own last lines when it does not come up. */
export async function startRegistry(): Promise<SchemaRegistry> {
  const program = await programForTests("apicurio");
  const [port, child] = await onFreePort((wanted) =>
    startChild({
      command: [program.path, "-Dquarkus.http.host=127.0.0.1", `-Dquarkus.http.port=${wanted}`],
      ready: READY,
      timeoutMs: READY_TIMEOUT_MS,
    }),
  );
  return {
    url: `http://127.0.0.1:${port}/apis/ccompat/v7`,
    port,
    pid: child.pid,
    version: program.version,
    kill9: () => child.kill9(),
    [Symbol.asyncDispose]: () => child.stop(STOP_GRACE_MS),
  };
}

/** `test` of bun, where a registry can be had; elsewhere its tests are skipped, and why is said. */
export async function testWithRegistry(): Promise<ReturnType<typeof test.skipIf>> {
  const reason = await programForTests("apicurio").then(
    () => undefined,
    (error: unknown) => messageOf(error),
  );
  if (reason !== undefined)
    console.error(`tests: what needs a schema registry is skipped: ${reason}`);
  return test.skipIf(reason !== undefined);
}
