/**
 * Connects to NATS: under a name, with credentials, to a server that can carry the mesh. The only file
 * that does.
 */
import {
  type Authenticator,
  type ConnectionOptions,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  PermissionViolationError,
} from "@nats-io/nats-core";
import { connect } from "nats";
import { z } from "zod";
import { type Logger, limits, messageOf, PetrelError } from "../core/mod.ts";
import { coalesceWrites } from "./coalesce.ts";
import { inboxPrefix } from "./subjects.ts";

/** Per-key features and the replication fixes the design relies on begin here. */
const SERVER_VERSION_MIN = [2, 10] as const;
const PAYLOAD_BYTES_MIN = 1024 * 1024;
const USER_INFO_TIMEOUT_MS = 2_000;

/** Who we are to the server; the server's configuration decides which account that is. */
export interface Credentials {
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  /** A `.creds` file, or the seed of an nkey (`SU…`); goes before user and token. */
  readonly credentialsFile?: string;
}

export interface ConnectOptions extends Credentials {
  /** `nats://host:port`, one or more. */
  readonly servers: readonly string[];
  /** Our name: answers come to this name's inbox. */
  readonly name: string;
  readonly tls?: { caFile?: string; certFile?: string; keyFile?: string };
  readonly connectTimeoutMs?: number;
}

/** Connects. Throws UNAUTHENTICATED, or UNAVAILABLE for a server that is away or cannot carry us. */
export async function connectTo(options: ConnectOptions): Promise<NatsConnection> {
  const nc = await dial(options);
  try {
    checkServer(nc.info?.version ?? "0.0.0", nc.info?.max_payload ?? 0);
    coalesceWrites(nc);
    return nc;
  } catch (error) {
    await nc.close();
    throw error;
  }
}

/** Permission violations and lost connections arrive here and nowhere else. */
export function logConnection(nc: NatsConnection, log: Logger): void {
  void (async () => {
    for await (const status of nc.status()) {
      if (status.type === "error") log.error("nats.error", { error: messageOf(status.error) });
      else if (status.type === "disconnect") log.warn("nats.disconnected");
      else if (status.type === "reconnect") log.info("nats.reconnected");
    }
  })();
}

/** The account of a server without accounts. No other can have the name, and it cannot import. */
export const GLOBAL_ACCOUNT = "$G";

const UserInfo = z.object({ data: z.object({ account: z.string() }) });

/** The account the server has put us in; undefined when it does not let us ask. */
export async function accountOf(nc: NatsConnection): Promise<string | undefined> {
  try {
    const answer = await nc.request("$SYS.REQ.USER.INFO", "", { timeout: USER_INFO_TIMEOUT_MS });
    return UserInfo.parse(answer.json()).data.account;
  } catch {
    return undefined;
  }
}

/** Whether a request failed because we may not publish its subject. */
export function isForbidden(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof PermissionViolationError;
}

async function dial(options: ConnectOptions): Promise<NatsConnection> {
  const { credentialsFile } = options;
  const authenticator =
    credentialsFile === undefined ? {} : { authenticator: await readCredentials(credentialsFile) };
  const connection: ConnectionOptions & { tls?: ConnectOptions["tls"] } = {
    servers: [...options.servers],
    name: `petrel-${options.name}`,
    inboxPrefix: inboxPrefix(options.name),
    timeout: options.connectTimeoutMs ?? limits.CONNECT_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    // A stack per request costs a tenth of the call; our errors name agent and method themselves.
    noAsyncTraces: true,
    ignoreAuthErrorAbort: true,
    ...(options.user === undefined ? {} : { user: options.user, pass: options.password ?? "" }),
    ...(options.token === undefined ? {} : { token: options.token }),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    ...authenticator,
  };
  try {
    return await connect(connection);
  } catch (error) {
    // A URL may bear a user and a password.
    const servers = options.servers.map((url) => url.replace(/^(\w+:\/\/)?.*@/, "$1")).join(", ");
    const refused = error instanceof Error && /auth/i.test(`${error.name} ${error.message}`);
    throw new PetrelError(
      refused ? "UNAUTHENTICATED" : "UNAVAILABLE",
      refused
        ? `nats: ${servers} refused our credentials`
        : `nats: no server answers at ${servers}: ${messageOf(error)}`,
      { system: "nats", servers },
      error,
    );
  }
}

const NKEY_SEED = /\bSU[A-Z2-7]{56}\b/;

async function readCredentials(file: string): Promise<Authenticator> {
  try {
    const text = await Bun.file(file).text();
    if (text.includes("BEGIN NATS USER JWT")) return credsAuthenticator(Buffer.from(text));
    const [seed] = NKEY_SEED.exec(text) ?? [];
    if (seed === undefined) throw new Error("holds neither a JWT nor the seed of a user's nkey");
    return nkeyAuthenticator(Buffer.from(seed));
  } catch (error) {
    throw new PetrelError(
      "CONFIG_INVALID",
      `nats: credentials_file ${file}: ${messageOf(error)}`,
      { path: "credentials_file" },
      error,
    );
  }
}

/** The server must be new enough, and take the largest envelope with its headers. */
function checkServer(version: string, payloadBytesMax: number): void {
  if (payloadBytesMax < PAYLOAD_BYTES_MIN) {
    throw new PetrelError(
      "UNAVAILABLE",
      `nats: the server's max_payload is ${payloadBytesMax}, at least ${PAYLOAD_BYTES_MIN} is needed`,
      { system: "nats", limit: PAYLOAD_BYTES_MIN },
    );
  }
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [majorMin, minorMin] = SERVER_VERSION_MIN;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return;
  throw new PetrelError(
    "UNAVAILABLE",
    `nats: server ${version} is too old, ${majorMin}.${minorMin} or newer is needed`,
    {
      system: "nats",
      version,
    },
  );
}
