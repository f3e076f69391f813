/**
 * One process's place in the mesh: the connection, its outbox, the registry, and the agents it serves.
 * The only file that connects to NATS.
 */
import { hostname } from "node:os";
import type { AgentCard } from "@a2a-js/sdk";
import { type JetStreamClient, type JetStreamManager, jetstream } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import type { ConnectionOptions, NatsConnection } from "@nats-io/nats-core";
import { connect } from "nats";
import {
  asPetrelError,
  type Clock,
  type Logger,
  limits,
  messageOf,
  newId,
  PetrelError,
  systemClock,
} from "../core/mod.ts";
import { type AgentDefinition, cardOf } from "./agent.ts";
import { Outbox } from "./audit/outbox.ts";
import { ensureAuditStream } from "./audit/stream.ts";
import { CARDS_BUCKET, Registry } from "./registry.ts";
import { AgentServer } from "./server.ts";
import { auditSubject, inboxPrefix, subjectToken } from "./subjects.ts";
import { TASKS_BUCKET, TaskStore } from "./tasks/store.ts";
import { NatsTransport } from "./transport.ts";

/** Per-key features and the replication fixes the design relies on begin here. */
const SERVER_VERSION_MIN = [2, 10] as const;
const PAYLOAD_BYTES_MIN = 1024 * 1024;
const TASK_TTL_MS = 7 * 86_400_000;
const AUDIT_RETENTION_DAYS = 30;

export interface MeshOptions {
  /** `nats://host:port`, one or more. */
  readonly servers: readonly string[];
  /** Our name: the caller in every request we send. */
  readonly name: string;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  readonly credentialsFile?: string;
  readonly tls?: { caFile?: string; certFile?: string; keyFile?: string };
  readonly auditRetentionDays?: number;
  readonly taskTtlMs?: number;
  readonly cardTtlMs?: number;
  readonly connectTimeoutMs?: number;
}

export interface Serving {
  readonly agent: string;
  readonly instance: string;
  readonly running: () => number;
  stop(): Promise<void>;
}

export class Mesh {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly kvm: Kvm;
  readonly name: string;
  /** This process, in the registry, the audit and the records of investigations. */
  readonly instance: string;
  readonly outbox: Outbox;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Logger;
  readonly #tasks: KV;
  readonly #serving: Serving[] = [];

  private constructor(parts: {
    nc: NatsConnection;
    jsm: JetStreamManager;
    kvm: Kvm;
    tasks: KV;
    cards: KV;
    options: MeshOptions;
  }) {
    const { nc, options } = parts;
    this.nc = nc;
    this.js = jetstream(nc);
    this.jsm = parts.jsm;
    this.kvm = parts.kvm;
    this.name = options.name;
    this.instance = newId();
    this.clock = options.clock ?? systemClock;
    this.log = options.log.with({ instance: this.instance });
    this.#tasks = parts.tasks;
    const common = { clock: this.clock, log: this.log };
    this.outbox = new Outbox({
      js: this.js,
      subject: auditSubject(options.name, this.instance),
      ...common,
    });
    this.registry = new Registry({
      kv: parts.cards,
      ttlMs: options.cardTtlMs ?? limits.CARD_TTL_MS,
      ...common,
    });
  }

  get serverVersion(): string {
    return this.nc.info?.version ?? "unknown";
  }

  /** Connects and makes what the mesh needs on the server. Throws UNAVAILABLE, UNAUTHENTICATED or USAGE. */
  static async open(options: MeshOptions): Promise<Mesh> {
    subjectToken(options.name, "name");
    const nc = await connectTo(options);
    try {
      checkServer(nc.info?.version ?? "0.0.0", nc.info?.max_payload ?? 0);
      // Else each bucket asks first whether JetStream is there; the calls below find out by themselves.
      const js = jetstream(nc, { checkAPI: false });
      const jsm = await js.jetstreamManager();
      const kvm = new Kvm(js);
      const ttl = options.taskTtlMs ?? TASK_TTL_MS;
      const cardTtl = options.cardTtlMs ?? limits.CARD_TTL_MS;
      const [tasks, cards] = await Promise.all([
        kvm.create(TASKS_BUCKET, { ttl, history: 1 }),
        kvm.create(CARDS_BUCKET, { ttl: cardTtl, history: 1 }),
        ensureAuditStream(jsm, options.auditRetentionDays ?? AUDIT_RETENTION_DAYS),
      ]);
      const mesh = new Mesh({ nc, jsm, kvm, tasks, cards, options });
      await mesh.registry.start();
      mesh.#watchConnection();
      return mesh;
    } catch (error) {
      await nc.close();
      if (error instanceof Error && error.name === "JetStreamNotEnabled") {
        throw new PetrelError(
          "UNAVAILABLE",
          "nats: JetStream is not enabled on the server (start it with -js)",
          {},
          error,
        );
      }
      throw asPetrelError(error, "UNAVAILABLE", "nats");
    }
  }

  /** The transport on which we call `agent`. */
  transport(agent: string): NatsTransport {
    const { nc, outbox, clock, name: caller, instance } = this;
    return new NatsTransport({
      nc,
      outbox,
      clock,
      caller,
      instance,
      agent: subjectToken(agent, "agent"),
    });
  }

  /** Serves an agent from this process until `stop`, and keeps its card in the registry. */
  async serve(agent: AgentDefinition, options: { runningMax?: number } = {}): Promise<Serving> {
    const card = cardOf(agent, `nats://${this.nc.getServer()}`);
    const store = new TaskStore(this.#tasks, agent.name, this.instance);
    const { nc, outbox, clock, instance } = this;
    const log = this.log.with({ agent: agent.name });
    const server = new AgentServer({
      nc,
      agent,
      card,
      instance,
      store,
      outbox,
      clock,
      log,
      ...options,
    });
    await server.start();
    const leaving = new AbortController();
    const announced = this.registry.announce(
      this.#replica(agent.name, card, server),
      leaving.signal,
    );
    const serving: Serving = {
      agent: agent.name,
      instance,
      running: () => server.running,
      stop: async () => {
        await server.stop();
        leaving.abort();
        await announced;
      },
    };
    this.#serving.push(serving);
    log.info("agent.serving", { server: this.nc.getServer(), version: this.serverVersion });
    return serving;
  }

  /** Stops what is served, stores what was reported, and closes the connection. */
  async close(): Promise<void> {
    await Promise.all(this.#serving.map((serving) => serving.stop()));
    await this.outbox.close();
    this.registry.stop();
    await this.nc.drain().catch(() => this.nc.close());
  }

  #replica(agent: string, card: AgentCard, server: AgentServer) {
    const startedAt = new Date(this.clock.nowMs()).toISOString();
    const fixed = {
      agent,
      instance: this.instance,
      host: hostname(),
      pid: process.pid,
      startedAt,
      card,
    };
    return () => ({ ...fixed, running: server.running });
  }

  /** Permission violations and lost connections arrive here and nowhere else. */
  #watchConnection(): void {
    void (async () => {
      for await (const status of this.nc.status()) {
        if (status.type === "error")
          this.log.error("nats.error", { error: messageOf(status.error) });
        else if (status.type === "disconnect") this.log.warn("nats.disconnected");
        else if (status.type === "reconnect") this.log.info("nats.reconnected");
      }
    })();
  }
}

async function connectTo(options: MeshOptions): Promise<NatsConnection> {
  const connection: ConnectionOptions & { tls?: MeshOptions["tls"] } = {
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
  };
  try {
    if (options.credentialsFile) {
      const { credsAuthenticator } = await import("@nats-io/nats-core");
      const credentials = await Bun.file(options.credentialsFile).bytes();
      return await connect({ ...connection, authenticator: credsAuthenticator(credentials) });
    }
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
