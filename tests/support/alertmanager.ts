/**
 * A real Alertmanager for a test: alone, on its own port, with a store of its own, gone at the end of
 * the block.
 *
 *     await using alertmanager = await startAlertmanager();
 *     await fetch(`${alertmanager.url}/api/v2/alerts`);
 *
 * A local process in every runtime of the tests. Debian has it and other systems may not: a file of such
 * tests begins with `const test = await testWithAlertmanager();`.
 */
import { test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../../core/mod.ts";
import { onFreePort, startChild } from "./process.ts";
import { programForTests } from "./runtime.ts";

const READY = /Listening on/;
const READY_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 5_000;

/** Alerts are grouped by incident and handed on at once; by default to nobody. */
const configFor = (webhookUrl: string | undefined) => `global: { resolve_timeout: 1s }
route: { receiver: all, group_by: [incident], group_wait: 0s, group_interval: 1s }
receivers:
  - name: all
${webhookUrl === undefined ? "" : `    webhook_configs: [{ url: "${webhookUrl}" }]\n`}`;

export interface AlertmanagerOptions {
  /** Gets what Alertmanager would tell people. */
  readonly webhookUrl?: string;
}

export interface Alertmanager extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** Dotted numbers. */
  readonly version: string;
}

/** Starts one; rejects with its own last lines when it does not come up. */
export async function startAlertmanager(options: AlertmanagerOptions = {}): Promise<Alertmanager> {
  const program = await programForTests("alertmanager");
  const dir = await mkdtemp(join(tmpdir(), "petrel-alertmanager-"));
  const removeDir = () => rm(dir, { recursive: true, force: true });
  const configFile = join(dir, "alertmanager.yml");
  try {
    await writeFile(configFile, configFor(options.webhookUrl));
    const [port, child] = await onFreePort((wanted) =>
      startChild({
        command: [
          program.path,
          `--config.file=${configFile}`,
          `--storage.path=${join(dir, "data")}`,
          `--web.listen-address=127.0.0.1:${wanted}`,
          "--cluster.listen-address=",
        ],
        ready: READY,
        timeoutMs: READY_TIMEOUT_MS,
      }),
    );
    return {
      url: `http://127.0.0.1:${port}`,
      version: program.version,
      [Symbol.asyncDispose]: async () => {
        await child.stop(STOP_GRACE_MS);
        await removeDir();
      },
    };
  } catch (error) {
    await removeDir();
    throw error;
  }
}

/** `test` of bun, where an Alertmanager can be had; elsewhere its tests are skipped, and why is said. */
export async function testWithAlertmanager(): Promise<ReturnType<typeof test.skipIf>> {
  const reason = await programForTests("alertmanager").then(
    () => undefined,
    (error: unknown) => messageOf(error),
  );
  if (reason !== undefined)
    console.error(`tests: what needs an Alertmanager is skipped: ${reason}`);
  return test.skipIf(reason !== undefined);
}
