/**
 * A real nats-server for a test: its own port, its own JetStream store, gone at the end of the block.
 *
 *     await using nats = await startNats();
 *     const nc = await connect({ servers: nats.url });
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Program } from "../../deploy/mod.ts";
import { IMAGES, startContainer } from "./containers.ts";
import { type Child, onFreePort, startChild } from "./process.ts";
import { programForTests, testRuntime } from "./runtime.ts";

const READY_TIMEOUT_MS = 15_000;
const STOP_GRACE_MS = 3_000;

export interface NatsOptions {
  /** Default true. */
  readonly jetstream?: boolean;
  /** JetStream domain, for leaf nodes. */
  readonly domain?: string;
  /** What JetStream may keep on disk, in bytes; default: what the disk has. */
  readonly fileBytesMax?: number;
  /** More lines of nats-server configuration: accounts, permissions, leafnodes, limits. */
  readonly config?: string;
  /** Another nats-server than the one of the tools, such as an older one; runs as a local process. */
  readonly program?: Pick<Program, "path" | "version">;
}

/**
 * For `config`: the agents in one account, the audit in another that exports the service `audit.>`. Users
 * `agents` and `audit`, each with its name as password, may do anything within their accounts.
 */
export const TWO_ACCOUNTS = `accounts {
  AGENTS {
    jetstream: enabled
    users: [ { user: agents, password: agents } ]
    imports: [ { service: { account: AUDIT, subject: "audit.>" } } ]
  }
  AUDIT {
    jetstream: enabled
    users: [ { user: audit, password: audit } ]
    exports: [ { service: "audit.>", accounts: [AGENTS] } ]
  }
}`;

export interface NatsServer extends AsyncDisposable {
  /** `nats://127.0.0.1:<port>`; stays the same over restarts. */
  readonly url: string;
  readonly port: number;
  /** Of the process that serves now; another one after a restart. */
  readonly pid: number;
  /** The server's version, dotted numbers. */
  readonly version: string;
  /** Where it keeps its store; a path inside the container when it runs in one. */
  readonly storeDir: string;
  /** Ends the server as a power cut would. Its store stays. */
  kill9(): Promise<void>;
  /** Starts it again on the same port and store; stops it first when it still runs. */
  restart(): Promise<void>;
}

const PRODUCTION_ACCOUNTS = join(import.meta.dir, "../../deploy/nats/accounts.conf");
/** `max_file_store` of deploy/nats/petrel.conf: the accounts share it. Nothing is reserved on the disk. */
const PRODUCTION_FILE_BYTES_MAX = 100 * 1024 ** 3;

type AccountOptions = Pick<NatsOptions, "config" | "fileBytesMax">;

/** The accounts of deploy/nats, word for word; each user's password is its name. */
export async function productionAccounts(): Promise<Required<AccountOptions>> {
  const text = await Bun.file(PRODUCTION_ACCOUNTS).text();
  const users = new Set([...text.matchAll(/\$PETREL_([A-Z]+)_PASSWORD/g)].map(([, user]) => user));
  const passwords = [...users].map((user) => `PETREL_${user}_PASSWORD: ${user?.toLowerCase()}`);
  return { config: `${passwords.join("\n")}\n${text}`, fileBytesMax: PRODUCTION_FILE_BYTES_MAX };
}

/** The configuration file of a test's server. */
export function natsConfig(
  options: NatsOptions,
  place: { readonly host: string; readonly port: number; readonly storeDir: string },
): string {
  const lines = [`host: "${place.host}"`, `port: ${place.port}`];
  if (options.jetstream ?? true) {
    const domain = options.domain === undefined ? "" : `, domain: "${options.domain}"`;
    const disk =
      options.fileBytesMax === undefined ? "" : `, max_file_store: ${options.fileBytesMax}`;
    lines.push(`jetstream { store_dir: "${place.storeDir}"${domain}${disk} }`);
  }
  if (options.config !== undefined) lines.push(options.config);
  return `${lines.join("\n")}\n`;
}

/** Starts a server; rejects with the server's own last lines when it does not come up. */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const local = options.program !== undefined || (await testRuntime()) === "local";
  return local ? startLocally(options) : startInContainer(options);
}

async function startLocally(options: NatsOptions): Promise<NatsServer> {
  const program = options.program ?? (await programForTests("nats-server"));
  const dir = await mkdtemp(join(tmpdir(), "petrel-nats-"));
  const storeDir = join(dir, "store");
  const configFile = join(dir, "nats.conf");
  const removeDir = () => rm(dir, { recursive: true, force: true });
  const launch = async (port: number): Promise<Child> => {
    await writeFile(configFile, natsConfig(options, { host: "127.0.0.1", port, storeDir }));
    return startChild({
      command: [program.path, "-c", configFile],
      ready: /Server is ready/,
      timeoutMs: READY_TIMEOUT_MS,
    });
  };

  try {
    let [port, child] = await onFreePort(launch);
    return {
      url: `nats://127.0.0.1:${port}`,
      port,
      version: program.version,
      storeDir,
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

async function startInContainer(options: NatsOptions): Promise<NatsServer> {
  const inside = { host: "0.0.0.0", port: 4222, storeDir: "/data" };
  const configFile = "/etc/petrel/nats.conf";
  const [port, container] = await onFreePort((hostPort) =>
    startContainer({
      image: IMAGES.nats.name,
      command: ["nats-server", "-c", configFile],
      port: inside.port,
      hostPort,
      ready: /Server is ready/,
      files: [{ target: configFile, content: natsConfig(options, inside) }],
    }),
  );
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    version: IMAGES.nats.version,
    storeDir: inside.storeDir,
    get pid() {
      return container.pid();
    },
    kill9: () => container.kill9(),
    restart: () => container.restart(),
    [Symbol.asyncDispose]: () => container[Symbol.asyncDispose](),
  };
}
