/**
 * The containers of a test, driven by testcontainers, where a Docker engine answers.
 * The library is loaded only then: it is large, and most machines of developers use local processes.
 */
import { existsSync } from "node:fs";
import { messageOf, PetrelError } from "../../core/mod.ts";
import type { RunResult } from "../../deploy/mod.ts";

export const IMAGES = {
  nats: { name: "nats:2.15.0-alpine", version: "2.15.0" },
  prometheus: { name: "prom/prometheus:v3.15.0", version: "3.15.0" },
  kafka: { name: "apache/kafka:4.3.1", version: "4.3.1" },
} as const;

const DOCKER_SOCKET = "/var/run/docker.sock";
const PROBE_TIMEOUT_MS = 90_000;
const START_TIMEOUT_MS = 30_000;
const LINES_KEPT = 50;

/** Why the tests cannot use containers, in a few words; undefined when they can. */
export async function whyNoContainers(): Promise<string | undefined> {
  if (!process.env.DOCKER_HOST && !existsSync(DOCKER_SOCKET)) return "no Docker engine";
  const { promise: isLate, resolve: late } = Promise.withResolvers<string>();
  const timer = setTimeout(
    () => late(`the images did not arrive in ${PROBE_TIMEOUT_MS / 1000} s`),
    PROBE_TIMEOUT_MS,
  );
  try {
    return await Promise.race([prepare(), isLate]);
  } catch (error) {
    return messageOf(error, 160);
  } finally {
    clearTimeout(timer);
  }
}

/** Connects to the engine, starts the cleaner of testcontainers, and pulls what is not there yet. */
async function prepare(): Promise<undefined> {
  const { getContainerRuntimeClient, getReaper, ImageName } = await import("testcontainers");
  const client = await getContainerRuntimeClient();
  await getReaper(client);
  for (const { name } of Object.values(IMAGES)) {
    const image = ImageName.fromString(name);
    if (!(await client.image.exists(image))) await client.image.pull(image);
  }
}

export interface ContainerOptions {
  readonly image: string;
  readonly command: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly user?: string;
  /** The port inside; it is bound to `hostPort` outside, so that it stays the same over restarts. */
  readonly port?: number;
  readonly hostPort?: number;
  /** Uses the machine's own network, so that ports are the same inside and outside. */
  readonly onHostNetwork?: boolean;
  /** Folders of the machine that the container sees, and writes to, under the same names. */
  readonly binds?: readonly string[];
  /** A line of its log that says it serves. */
  readonly ready: RegExp;
  /** Files put into the container before it starts. */
  readonly files?: readonly { readonly target: string; readonly content: string }[];
  readonly directories?: readonly { readonly target: string; readonly source: string }[];
}

export interface Container extends AsyncDisposable {
  pid(): number;
  kill9(): Promise<void>;
  /** SIGTERM, SIGKILL after `graceMs`. */
  stop(graceMs: number): Promise<void>;
  /** Runs a command inside, to its end. */
  exec(command: readonly string[]): Promise<RunResult>;
  /** Starts it again; the same container, with its files and its port. */
  restart(): Promise<void>;
}

/** Starts a container and waits until it serves; rejects with its last lines when it does not. */
export async function startContainer(options: ContainerOptions): Promise<Container> {
  const { GenericContainer, getContainerRuntimeClient, Wait } = await import("testcontainers");
  const lines: string[] = [];
  const wanted = new GenericContainer(options.image);
  if (options.entrypoint !== undefined) wanted.withEntrypoint([...options.entrypoint]);
  if (options.user !== undefined) wanted.withUser(options.user);
  if (options.onHostNetwork) wanted.withNetworkMode("host");
  if (options.port !== undefined && options.hostPort !== undefined)
    wanted.withExposedPorts({ container: options.port, host: options.hostPort });
  const started = await wanted
    .withCommand([...options.command])
    .withBindMounts((options.binds ?? []).map((dir) => ({ source: dir, target: dir })))
    .withCopyContentToContainer([...(options.files ?? [])])
    .withCopyDirectoriesToContainer([...(options.directories ?? [])])
    .withWaitStrategy(Wait.forLogMessage(options.ready))
    .withStartupTimeout(START_TIMEOUT_MS)
    .withLogConsumer((stream) => {
      stream.on("data", (chunk: unknown) => {
        lines.push(String(chunk).trimEnd());
        if (lines.length > LINES_KEPT) lines.shift();
      });
    })
    .start()
    .catch((error: unknown) => {
      const said = `${options.image}: ${messageOf(error)}\n${lines.join("\n")}`;
      throw new PetrelError("UNAVAILABLE", said, {}, error);
    });

  const client = await getContainerRuntimeClient();
  const handle = client.container.getById(started.getId());
  const readPid = async () => (await handle.inspect()).State.Pid;
  let pid = await readPid();
  return {
    pid: () => pid,
    kill9: async () => {
      await handle.kill({ signal: "SIGKILL" });
      await handle.wait();
    },
    stop: async (graceMs) => {
      await started.stop({ timeout: graceMs, remove: false });
    },
    exec: async (command) => {
      const { exitCode, stdout, stderr } = await started.exec([...command]);
      const reason = exitCode === 0 ? "" : (stderr.trim().split("\n").at(-1) ?? "");
      return { code: exitCode, stdout, stderr, reason };
    },
    restart: async () => {
      await started.restart({ timeout: START_TIMEOUT_MS });
      pid = await readPid();
      if (pid === 0) throw new PetrelError("UNAVAILABLE", `${options.image} did not start again`);
    },
    [Symbol.asyncDispose]: async () => {
      await started.stop({ timeout: 0, remove: true, removeVolumes: true });
    },
  };
}
