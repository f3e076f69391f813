/**
 * A world of recordings, for the demo and the evaluation: a real nats-server, a real Prometheus with the
 * recorded metrics, and stand-ins for Splunk and Grafana over the recordings. All it starts, it stops.
 */
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Config, limits, messageOf, PetrelError, parseConfig } from "../core/mod.ts";
import { ensureProgram, type OnProgress, type Program } from "../deploy/mod.ts";
import {
  backfillPrometheus,
  type Recording,
  type RowProvider,
  startGrafanaSim,
  startPrometheus,
  startSplunkSim,
} from "../sim/mod.ts";

export interface World {
  readonly config: Config;
  readonly versions: { readonly nats: string; readonly prometheus: string };
  readonly natsUrl: string;
  /** A folder that goes when the world stops. */
  readonly dir: string;
  stop(): Promise<void>;
}

const SPLUNK_TOKEN = "demo-splunk-token";
const GRAFANA_TOKEN = "demo-grafana-token";
const READY_TIMEOUT_MS = 15_000;

export interface WorldOptions {
  readonly recordings: readonly Recording[];
  readonly toolsDir: string;
  /** Where NATS listens; a free port by default. */
  readonly port?: number;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}

/** Starts all of it. Throws PROGRAM_MISSING, UNAVAILABLE, or what a recording throws. */
export async function startWorld(options: WorldOptions): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "petrel-world-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const program = (name: "nats-server" | "prometheus" | "promtool") => ensureProgram(name, options);
  const natsServer = await program("nats-server");
  const prometheus = await program("prometheus");
  const promtool = await program("promtool");
  const { recordings } = options;

  const nats = await startNatsServer(natsServer, dir, options.port ?? -1);
  stack.defer(nats.stop);
  const metrics = await startMetrics(prometheus.path, promtool.path, dir, recordings);
  stack.defer(() => metrics.stop());
  const splunk = startSplunkSim({ rows: rowsOf(recordings), tokens: [SPLUNK_TOKEN] });
  stack.defer(() => splunk.stop());
  const grafana = startGrafanaSim({ token: GRAFANA_TOKEN, dashboards: DASHBOARDS });
  stack.use(grafana);

  const config = parseConfig("", {}, "recordings");
  const owned = stack.move();
  return {
    config: {
      ...config,
      nats: { servers: [nats.url] },
      audit: { ...config.audit, outbox_dir: join(dir, "outbox") },
      splunk: {
        url: splunk.url,
        web_url: splunk.url,
        token: SPLUNK_TOKEN,
        index: "main",
        service_field: "service",
        timeout: 60_000,
      },
      prometheus: {
        url: metrics.url,
        timeout: 30_000,
        step: 60_000,
        range: 120_000,
        lookback: 3_600_000,
        history: 86_400_000,
        false_alarms_per_day: 1,
        service_labels: ["service", "application", "app", "job"],
        queries: [],
        dependencies: [],
      },
      grafana: { url: grafana.url, token: GRAFANA_TOKEN, timeout: 5_000 },
    },
    versions: { nats: natsServer.version, prometheus: metrics.version },
    natsUrl: nats.url,
    dir,
    stop: () => owned.disposeAsync(),
  };
}

/** Where fetched programs live: $PETREL_TOOLS, the source tree's .tools, or the user's cache. */
export function toolsDir(): string {
  const { PETREL_TOOLS, XDG_CACHE_HOME } = process.env;
  if (PETREL_TOOLS) return PETREL_TOOLS;
  const beside = [resolve(".tools"), join(import.meta.dir, "../.tools")].find(existsSync);
  if (beside !== undefined) return beside;
  return join(XDG_CACHE_HOME || join(homedir(), ".cache"), "petrel");
}

async function startMetrics(
  prometheus: string,
  promtool: string,
  dir: string,
  recordings: readonly Recording[],
) {
  const dataDir = join(dir, "prometheus");
  for (const recording of recordings) {
    await backfillPrometheus({ promtool, openMetrics: recording.openMetrics(), dataDir });
  }
  return startPrometheus({ prometheus, dataDir });
}

/** Rows of every recording that has any in the time asked for; the recordings do not overlap. */
function rowsOf(recordings: readonly Recording[]): RowProvider {
  return async function* rows({ earliestMs, latestMs }) {
    for (const recording of recordings) yield* recording.logRows({ earliestMs, latestMs });
  };
}

async function startNatsServer(program: Program, dir: string, port: number) {
  const configFile = join(dir, "nats.conf");
  await writeFile(
    configFile,
    `host: "127.0.0.1"\nport: ${port}\njetstream { store_dir: ${JSON.stringify(join(dir, "nats"))} }\n`,
  );
  const child = Bun.spawn([program.path, "-c", configFile], { stdout: "ignore", stderr: "pipe" });
  const stop = async () => {
    child.kill("SIGKILL");
    await child.exited;
  };
  try {
    const url = await readyUrl(child.stderr, program.path);
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Reads the server's log until it says where it listens and that it is ready. */
async function readyUrl(stderr: ReadableStream<Uint8Array>, path: string): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  const ready = Promise.withResolvers<string>();
  const timer = setTimeout(() => ready.reject(new Error("not ready in time")), READY_TIMEOUT_MS);
  void (async () => {
    for await (const chunk of stderr) {
      if (text === "" || !/Server is ready/.test(text))
        text = (text + decoder.decode(chunk)).slice(-limits.LINE_BYTES_MAX);
      const address = /Listening for client connections on ([\d.]+:\d+)/.exec(text)?.[1];
      if (address && /Server is ready/.test(text)) ready.resolve(`nats://${address}`);
    }
    ready.reject(new Error(text.trim().split("\n").at(-1) ?? "ended"));
  })();
  try {
    return await ready.promise;
  } catch (error) {
    throw new PetrelError(
      "PROGRAM_MISSING",
      `${path}: does not start: ${messageOf(error)}`,
      { program: "nats-server" },
      error,
    );
  } finally {
    clearTimeout(timer);
  }
}

const DASHBOARDS = [
  { id: 1, uid: "spring-boot", title: "Spring Boot 3.x Statistics", tags: ["spring"], panels: [] },
  { id: 2, uid: "payment-service", title: "payment-service", tags: ["payments"], panels: [] },
  { id: 3, uid: "train-ticket", title: "Train-Ticket pods", tags: ["kubernetes"], panels: [] },
] as const;
