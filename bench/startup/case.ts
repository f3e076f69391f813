/**
 * `startup`: the one-file binary, beside the same command run from source by bun. Its agents get a
 * real nats-server and stand-ins for Splunk and Prometheus that have nothing to tell.
 */
import { existsSync, statSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "nats";
import { providerOf, startSplunkSim } from "../../sim/mod.ts";
import { type Figure, figuresOf } from "../figure.ts";
import { startNats } from "../nats.ts";
import { type BenchContext, type Run, runRounds } from "../run.ts";
import { timeServing, timeVersion } from "./command.ts";

const ROOT = join(import.meta.dir, "../..");
export const SOURCE = [process.execPath, join(ROOT, "cli/main.ts")] as const;
const BINARY = join(ROOT, "dist/petrel");

/** A process is called idle this long after its agents answered. */
const IDLE_MS = 3_000;
const TOKEN = "bench-token";

const METRICS = [
  { name: "version", unit: "ms" },
  { name: "serving", unit: "ms" },
  { name: "idle", unit: "MB" },
] as const;

/** No figures, and a line that says why, when there is no binary. */
export async function benchStartup(context: BenchContext): Promise<Figure[]> {
  if (!existsSync(BINARY)) {
    context.onProgress('startup: skipped: there is no dist/petrel; "make binary" makes it');
    return [];
  }
  const sides = {
    binary: () => runCommand([BINARY], context),
    source: () => runCommand(SOURCE, context),
  };
  const { binary, source } = await runRounds("startup", sides, context);
  const size: Run = { work: {}, cost: { size: statSync(BINARY).size / 1e6 } };
  return [
    ...figuresOf("startup", METRICS, binary, source),
    ...figuresOf("startup", [{ name: "size", unit: "MB" }], [size]),
  ];
}

/** One run: `version` to its end, then `up` until its agents answer and for a while after. */
export async function runCommand(
  command: readonly string[],
  context: BenchContext,
  idleMs = IDLE_MS,
): Promise<Run> {
  await using stack = new AsyncDisposableStack();
  const nats = stack.use(await startNats(context));
  const nc = stack.adopt(await connect({ servers: nats.url }), (open) => open.close());
  const splunk = stack.adopt(startSplunkSim({ rows: providerOf([]), tokens: [TOKEN] }), (sim) =>
    sim.stop(),
  );
  const prometheus = stack.adopt(startEmptyPrometheus(), (server) => server.stop(true));
  const dir = await mkdtemp(join(tmpdir(), "petrel-bench-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const config = join(dir, "petrel.yaml");
  const urls = { nats: nats.url, splunk: splunk.url, prometheus: prometheus.url.origin };
  await writeFile(config, configText(urls));

  const { signal } = context;
  const version = await timeVersion(command, signal);
  const served = await timeServing(command, config, nc, { idleMs, signal });
  return {
    work: { agents: served.agents },
    cost: { version, serving: served.servingMs, idle: served.idleMegabytes },
  };
}

/** JSON is YAML. The LLM is off, whatever the environment has. */
function configText(urls: { nats: string; splunk: string; prometheus: string }): string {
  return JSON.stringify({
    nats: { servers: [urls.nats] },
    splunk: { url: urls.splunk, token: TOKEN },
    prometheus: { url: urls.prometheus },
    llm: { enabled: false },
  });
}

/** Answers every query of Prometheus's HTTP API with no series. */
function startEmptyPrometheus(): Bun.Server<undefined> {
  const nothing = { status: "success", data: { resultType: "matrix", result: [] } };
  return Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => Response.json(nothing) });
}
