/**
 * A real Prometheus over recorded metrics: the text becomes TSDB blocks, a server answers from them
 * at the times of the recording. It scrapes nothing and deletes nothing. Both programs are given by
 * path; this file neither finds nor fetches them.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, PetrelError, systemClock } from "../../core/mod.ts";

const STDERR_CHARS_MAX = 8_192;
const BACKFILL_TIMEOUT_MS = 60_000;
const READY_TIMEOUT_MS = 20_000;
const READY_POLL_MS = 25;
const ANSWER_TIMEOUT_MS = 2_000;
const STOP_GRACE_MS = 3_000;
const PORT_ATTEMPTS = 10;
/** promtool reads its whole input once for each block; the default of two hours reads it 15 times. */
const BLOCK_DURATION = "54h";

export interface BackfillOptions {
  /** Path of promtool, 2.40 or newer. */
  readonly promtool: string;
  readonly openMetrics: AsyncIterable<string>;
  /** Where the blocks go; made if absent. */
  readonly dataDir: string;
  readonly timeoutMs?: number;
}

export interface BackfillResult {
  /** Size of the OpenMetrics text. */
  readonly textBytes: number;
}

/** Fills `dataDir` with blocks. Throws CONFIG_INVALID with promtool's own words when it refuses. */
export async function backfillPrometheus(options: BackfillOptions): Promise<BackfillResult> {
  const workDir = await mkdtemp(join(tmpdir(), "petrel-backfill-"));
  try {
    const textPath = join(workDir, "metrics.txt");
    const writer = Bun.file(textPath).writer({ highWaterMark: 1024 * 1024 });
    for await (const piece of options.openMetrics) await writer.write(piece);
    await writer.end();
    await mkdir(options.dataDir, { recursive: true });
    await createBlocks(options, textPath);
    return { textBytes: Bun.file(textPath).size };
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

async function createBlocks(
  { promtool, dataDir, timeoutMs = BACKFILL_TIMEOUT_MS }: BackfillOptions,
  textPath: string,
): Promise<void> {
  const command = [
    promtool,
    "tsdb",
    "create-blocks-from",
    `--max-block-duration=${BLOCK_DURATION}`,
    "openmetrics",
    "--quiet",
    textPath,
    dataDir,
  ];
  const child = spawn(command);
  const stderr = keepEnd(child.stderr);
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const status = await child.exited;
  clearTimeout(timer);
  if (status === 0) return;
  if (child.signalCode === "SIGKILL") {
    throw new PetrelError("DEADLINE_EXCEEDED", `promtool did not finish in ${timeoutMs} ms`);
  }
  throw new PetrelError("CONFIG_INVALID", `promtool refused the metrics: ${await stderr.ended()}`);
}

export interface PrometheusOptions {
  /** Path of prometheus, 2.40 or newer. */
  readonly prometheus: string;
  /** The directory {@link backfillPrometheus} filled; one server at a time. */
  readonly dataDir: string;
  /** Default: a free one. */
  readonly port?: number;
  readonly readyTimeoutMs?: number;
}

export interface PrometheusServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** The server's own word, such as `2.42.0`. */
  readonly version: string;
  /** Ends the process and waits until it is gone. May be called twice. */
  stop(): Promise<void>;
}

/** Starts the server and waits until it is ready. Throws UNAVAILABLE with its last words. */
export async function startPrometheus(options: PrometheusOptions): Promise<PrometheusServer> {
  await writeFile(join(options.dataDir, "prometheus.yml"), "global: {}\n");
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? randomPort();
    try {
      return await startOn(port, options);
    } catch (error) {
      const isTaken = /address already in use/.test(String(error));
      if (!isTaken || options.port !== undefined || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

async function startOn(port: number, options: PrometheusOptions): Promise<PrometheusServer> {
  const child = spawn([
    options.prometheus,
    `--config.file=${join(options.dataDir, "prometheus.yml")}`,
    `--storage.tsdb.path=${options.dataDir}`,
    "--storage.tsdb.retention.time=100y",
    `--web.listen-address=127.0.0.1:${port}`,
    "--log.level=warn",
  ]);
  const stderr = keepEnd(child.stderr);
  const onExit = () => child.kill("SIGKILL");
  process.once("exit", onExit);
  const stop = async () => {
    process.off("exit", onExit);
    child.kill("SIGTERM");
    const force = setTimeout(() => child.kill("SIGKILL"), STOP_GRACE_MS);
    await child.exited;
    clearTimeout(force);
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    await untilReady(url, child, options);
    return { url, version: await versionOf(url), stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    const words = await stderr.ended();
    throw new PetrelError(
      "UNAVAILABLE",
      `prometheus: ${messageOf(error)}: ${words}`,
      { url },
      error,
    );
  }
}

/** Another server on the port would be ready too: the one that answers has to serve our directory. */
async function untilReady(
  url: string,
  child: Bun.Subprocess,
  { dataDir, readyTimeoutMs = READY_TIMEOUT_MS }: PrometheusOptions,
): Promise<void> {
  const deadlineMs = systemClock.nowMs() + readyTimeoutMs;
  while (systemClock.nowMs() < deadlineMs) {
    if (child.exitCode !== null) throw new Error(`it ended with status ${child.exitCode}`);
    if (await answersFor(url, dataDir)) return;
    await systemClock.sleep(READY_POLL_MS);
  }
  throw new Error(`not ready in ${readyTimeoutMs} ms`);
}

const FlagsSchema = z.object({ data: z.object({ "storage.tsdb.path": z.string() }) });
const BuildSchema = z.object({ data: z.object({ version: z.string() }) });

async function answersFor(url: string, dataDir: string): Promise<boolean> {
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  try {
    const ready = await fetch(`${url}/-/ready`, { signal });
    if (!ready.ok) return false;
    const flags = await fetch(`${url}/api/v1/status/flags`, { signal });
    return FlagsSchema.parse(await flags.json()).data["storage.tsdb.path"] === dataDir;
  } catch {
    return false;
  }
}

async function versionOf(url: string): Promise<string> {
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const response = await fetch(`${url}/api/v1/status/buildinfo`, { signal });
  return BuildSchema.parse(await response.json()).data.version;
}

function spawn(command: string[]): Bun.Subprocess<"ignore", "ignore", "pipe"> {
  try {
    return Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  } catch (error) {
    throw new PetrelError("PROGRAM_MISSING", `cannot run ${command[0]}`, {}, error);
  }
}

/** Drains a stream all its life and keeps its last characters for an error message. */
function keepEnd(stream: ReadableStream<Uint8Array>): { ended(): Promise<string> } {
  const decoder = new TextDecoder();
  let end = "";
  const drained = (async () => {
    for await (const chunk of stream) {
      end = (end + decoder.decode(chunk, { stream: true })).slice(-STDERR_CHARS_MAX);
    }
  })();
  return { ended: () => drained.then(() => end.trim()) };
}

/** Outside the range from which kernels take the ports of outgoing connections. */
function randomPort(): number {
  return 20_000 + Math.floor(Math.random() * 12_000);
}
