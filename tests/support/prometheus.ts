/**
 * A real Prometheus for a test: its own port and data folder, scraping nothing unless told to, holding
 * the samples it is given.
 *
 *     await using prometheus = await startPrometheus({ openmetrics: "up 1 1700000000\n# EOF\n" });
 *     await fetch(`${prometheus.url}/api/v1/query?query=up&time=1700000000`);
 */
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PetrelError } from "../../core/mod.ts";
import { run } from "../../deploy/mod.ts";
import { IMAGES, startContainer } from "./containers.ts";
import { type Child, onFreePort, startChild } from "./process.ts";
import { programForTests, testRuntime } from "./runtime.ts";

const READY = /Server is ready to receive web requests/;
const READY_TIMEOUT_MS = 30_000;
const BACKFILL_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 5_000;
const SAMPLES_REFUSED = "promtool refused the samples";
const CONFIG_DEFAULT = "global: { scrape_interval: 15s }\n";

export interface PrometheusOptions {
  /** A data folder prepared before; it is copied, never written to. */
  readonly dataDir?: string;
  /** OpenMetrics text, timestamps in seconds, ending in `# EOF`; promtool makes blocks of it. */
  readonly openmetrics?: string;
  /** The text of prometheus.yml. Default: nothing is scraped. */
  readonly config?: string;
  /** More flags, such as `--web.enable-remote-write-receiver`. */
  readonly flags?: readonly string[];
}

export interface PrometheusServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`; stays the same over restarts. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Dotted numbers. */
  readonly version: string;
  /** Ends the server as a power cut would. Its data stays. */
  kill9(): Promise<void>;
  /** Starts it again on the same port and data; stops it first when it still runs. */
  restart(): Promise<void>;
}

/** Starts a server; rejects with promtool's or the server's own words when that fails. */
export async function startPrometheus(options: PrometheusOptions = {}): Promise<PrometheusServer> {
  return (await testRuntime()) === "containers" ? startInContainer(options) : startLocally(options);
}

/** Recorded samples may be years old: nothing is ever dropped for its age. */
function flagsFor(configFile: string, dataDir: string, address: string): string[] {
  return [
    `--config.file=${configFile}`,
    `--storage.tsdb.path=${dataDir}`,
    "--storage.tsdb.retention.time=100y",
    `--web.listen-address=${address}`,
  ];
}

async function startLocally(options: PrometheusOptions): Promise<PrometheusServer> {
  const program = await programForTests("prometheus");
  const dir = await mkdtemp(join(tmpdir(), "petrel-prometheus-"));
  const removeDir = () => rm(dir, { recursive: true, force: true });
  const dataDir = join(dir, "data");
  const configFile = join(dir, "prometheus.yml");
  const launch = (port: number): Promise<Child> =>
    startChild({
      command: [
        program.path,
        ...flagsFor(configFile, dataDir, `127.0.0.1:${port}`),
        ...(options.flags ?? []),
      ],
      ready: READY,
      timeoutMs: READY_TIMEOUT_MS,
    });

  try {
    await writeFile(configFile, options.config ?? CONFIG_DEFAULT);
    await mkdir(dataDir);
    if (options.dataDir !== undefined) await cp(options.dataDir, dataDir, { recursive: true });
    if (options.openmetrics !== undefined) await backfill(options.openmetrics, dir, dataDir);
    let [port, child] = await onFreePort(launch);
    return {
      url: `http://127.0.0.1:${port}`,
      port,
      version: program.version,
      get pid() {
        return child.pid;
      },
      kill9: () => child.kill9(),
      restart: async () => {
        await child.stop(STOP_GRACE_MS);
        child = await launch(port);
      },
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

async function backfill(openmetrics: string, dir: string, dataDir: string): Promise<void> {
  const promtool = await programForTests("promtool");
  const file = join(dir, "samples.txt");
  await writeFile(file, openmetrics);
  const result = await run(
    [promtool.path, "tsdb", "create-blocks-from", "openmetrics", "--quiet", file, dataDir],
    { timeoutMs: BACKFILL_TIMEOUT_MS },
  );
  if (result.code === 0) return;
  throw new PetrelError("QUERY_REFUSED", `${SAMPLES_REFUSED}: ${result.reason}`);
}

async function startInContainer(options: PrometheusOptions): Promise<PrometheusServer> {
  const starting = onFreePort((hostPort) =>
    startContainer({
      image: IMAGES.prometheus.name,
      user: "root",
      entrypoint: ["/bin/sh", "-c", containerScript(options)],
      command: [],
      port: 9090,
      hostPort,
      ready: READY,
      files: [
        { target: "/petrel/prometheus.yml", content: options.config ?? CONFIG_DEFAULT },
        ...(options.openmetrics === undefined
          ? []
          : [{ target: "/petrel/samples.txt", content: options.openmetrics }]),
      ],
      directories:
        options.dataDir === undefined ? [] : [{ source: options.dataDir, target: "/petrel/data" }],
    }),
  );
  const [port, container] = await starting.catch((error: unknown) => {
    if (!String(error).includes(SAMPLES_REFUSED)) throw error;
    throw new PetrelError("QUERY_REFUSED", SAMPLES_REFUSED, {}, error);
  });
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    version: IMAGES.prometheus.version,
    get pid() {
      return container.pid();
    },
    kill9: () => container.kill9(),
    restart: () => container.restart(),
    [Symbol.asyncDispose]: () => container[Symbol.asyncDispose](),
  };
}

/** Backfills once, then becomes Prometheus: a restart runs it again and must not double the samples. */
function containerScript(options: PrometheusOptions): string {
  const flags = [...flagsFor("/petrel/prometheus.yml", "/petrel/data", "0.0.0.0:9090")];
  const quoted = [...flags, ...(options.flags ?? [])].map((flag) => `'${flag}'`).join(" ");
  const samples = "/petrel/samples.txt";
  const backfillOnce =
    `if [ -f ${samples} ]; then promtool tsdb create-blocks-from openmetrics --quiet ${samples} ` +
    `/petrel/data || { echo "${SAMPLES_REFUSED}" >&2; exit 1; }; rm ${samples}; fi`;
  return `set -e; mkdir -p /petrel/data; ${backfillOnce}; exec prometheus ${quoted}`;
}
