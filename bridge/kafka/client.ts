/** How we reach Kafka: plain settings in, kafkajs underneath, its log in ours. */
import { readFile } from "node:fs/promises";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Admin } from "kafkajs";
import { type Logger, messageOf, PetrelError, redact, silentLogger } from "../../core/mod.ts";
import { KafkaCluster } from "./cluster.ts";
import {
  type ClusterOptions,
  type InnerLogger,
  loadKafkajs,
  type SocketOptions,
} from "./kafkajs-inner.ts";

export interface KafkaSettings {
  /** `host:port`, any of the cluster's. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Bound of every step: a connection, a request and its answer. */
  readonly timeoutMs: number;
  /** PEM files; present, even empty, means TLS. */
  readonly tls?:
    | {
        readonly caFile?: string | undefined;
        readonly certFile?: string | undefined;
        readonly keyFile?: string | undefined;
      }
    | undefined;
  readonly sasl?:
    | {
        readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
        readonly user: string;
        readonly password: string;
      }
    | undefined;
}

export interface KafkaClient {
  readonly settings: KafkaSettings;
  /** Connections of their own, not yet made; the caller closes them. */
  cluster(): KafkaCluster;
  /** Runs `work` with kafkajs's admin, connected, and disconnects after it. */
  withAdmin<T>(work: (admin: Admin) => Promise<T>, signal: AbortSignal): Promise<T>;
}

const CONNECT_MS_MAX = 5_000;
/** Inside one step: brokers of the list that are down are passed over. What lasts is the caller's to retry. */
const RETRY = { initialRetryTime: 50, maxRetryTime: 500 };
const METADATA_AGE_MS_MAX = 300_000;
const KEEP_ALIVE_MS = 60_000;

/**
 * Prepares a client; connects nothing. Throws CONFIG_INVALID naming the file that cannot be read, or the
 * broker whose address kafkajs cannot take.
 */
export async function kafkaClient(
  settings: KafkaSettings,
  logger: Logger = silentLogger,
): Promise<KafkaClient> {
  for (const broker of settings.brokers) refuseBrackets(broker);
  const [kafkajs, ssl] = await Promise.all([loadKafkajs(), readTls(settings.tls)]);
  const options = clusterOptions(settings, ssl, logger);
  const connected = () => {
    const sockets = new Set<Socket>();
    const own = { ...options, socketFactory: trackedSockets(sockets) };
    return { inner: kafkajs.makeCluster(own), sockets, own };
  };
  return {
    settings,
    cluster() {
      const { inner, sockets } = connected();
      return new KafkaCluster(inner, sockets, settings.timeoutMs);
    },
    async withAdmin(work, signal) {
      const { inner, sockets, own } = connected();
      const cluster = new KafkaCluster(inner, sockets, settings.timeoutMs);
      try {
        await cluster.connect(signal);
        return await work(kafkajs.makeAdmin(inner, own));
      } finally {
        await cluster.close();
      }
    },
  };
}

/** kafkajs takes what stands before the first colon for the host. */
function refuseBrackets(broker: string): void {
  if (!broker.startsWith("[")) return;
  const message = `kafka.brokers: ${broker}: write a host name that resolves to the IPv6 address`;
  throw new PetrelError("CONFIG_INVALID", message, { path: "kafka.brokers" });
}

function clusterOptions(
  settings: KafkaSettings,
  ssl: object | undefined,
  logger: Logger,
): Omit<ClusterOptions, "socketFactory"> {
  const { brokers, clientId, timeoutMs, sasl } = settings;
  const login = sasl && {
    mechanism: sasl.mechanism,
    username: sasl.user,
    password: sasl.password,
  };
  return {
    logger: innerLogger(logger),
    brokers,
    clientId,
    ssl,
    sasl: login,
    connectionTimeout: Math.min(timeoutMs, CONNECT_MS_MAX),
    authenticationTimeout: timeoutMs,
    requestTimeout: timeoutMs,
    metadataMaxAge: METADATA_AGE_MS_MAX,
    retry: { ...RETRY, retries: brokers.length + 1 },
  };
}

async function readTls(tls: KafkaSettings["tls"]): Promise<object | undefined> {
  if (!tls) return undefined;
  const [ca, cert, key] = await Promise.all([
    readPem("ca_file", tls.caFile),
    readPem("cert_file", tls.certFile),
    readPem("key_file", tls.keyFile),
  ]);
  return { ...(ca && { ca: [ca] }), ...(cert && { cert }), ...(key && { key }) };
}

async function readPem(name: string, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const path = `kafka.tls.${name}`;
    throw new PetrelError("CONFIG_INVALID", `${path}: ${messageOf(error)}`, { path }, error);
  }
}

/** Sockets that can be cut: kafkajs waits for answers before it lets one go. */
function trackedSockets(sockets: Set<Socket>): (options: SocketOptions) => Socket {
  return ({ host, port, ssl, onConnect }) => {
    const socket = ssl
      ? connectTls({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
      : connectTcp({ host, port }, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    // Several small requests are under way at once; none waits for the answer to another.
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    return socket;
  };
}

/**
 * kafkajs logs as errors what it then retries or throws; what it throws is reported by whoever asked.
 * So its errors and warnings are for debugging, and its account of every request is for nobody.
 */
function innerLogger(logger: Logger, part = "kafkajs"): InnerLogger {
  const pass = (level: string) => (message: string, extra?: object) => {
    const broker = extra && "broker" in extra ? String(extra.broker) : undefined;
    logger.debug("kafka.client", { part, level, message: redact(message), broker });
  };
  return {
    namespace: (name) => innerLogger(logger, `kafkajs.${name}`),
    error: pass("error"),
    warn: pass("warn"),
    info: () => {},
    debug: () => {},
  };
}
