/**
 * One process's place in the mesh: the connection, its outbox, the registry, and the agents it serves.
 */
import { hostname } from "node:os";
import type { AgentCard } from "@a2a-js/sdk";
import { type JetStreamClient, type JetStreamManager, jetstream } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/nats-core";
import {
  asPetrelError,
  type Clock,
  type Logger,
  limits,
  newId,
  PetrelError,
  systemClock,
} from "../core/mod.ts";
import { type AgentDefinition, cardOf } from "./agent.ts";
import { defaultOutboxDir } from "./audit/folder.ts";
import { type AuditMode, Outbox } from "./audit/outbox.ts";
import { requireAudit } from "./audit/require.ts";
import { type ConnectOptions, connectTo, logConnection } from "./connect.ts";
import { CARDS_BUCKET, Registry } from "./registry.ts";
import { AgentServer } from "./server.ts";
import { auditSubject, subjectToken } from "./subjects.ts";
import { ArtifactStore } from "./tasks/artifacts.ts";
import { ensureTaskLog, TaskLog } from "./tasks/log.ts";
import { OpenTasks, TASKS_BUCKET } from "./tasks/open.ts";
import { NatsTransport } from "./transport.ts";

const TASK_TTL_MS = 7 * 86_400_000;
const AUDIT_RETENTION_DAYS = 30;

/** The name is the caller in every request we send, and the reporter in the audit. */
export interface MeshOptions extends ConnectOptions {
  readonly log: Logger;
  readonly clock?: Clock;
  /** Used where the mesh makes the AUDIT stream itself: on a server without accounts. */
  readonly auditRetentionDays?: number;
  /** strict: nothing leaves before its envelope is stored. Default async. */
  readonly auditMode?: AuditMode;
  /** The same in every process of a mesh. Default 1. */
  readonly auditShards?: number;
  /** Where what is not stored yet outlives this process. Default: see {@link defaultOutboxDir}. */
  readonly outboxDir?: string;
  /** Of all shards together. Default OUTBOX_BYTES_MAX. */
  readonly outboxBytesMax?: number;
  readonly taskTtlMs?: number;
  readonly cardTtlMs?: number;
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
  readonly artifacts: ArtifactStore;
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
    this.artifacts = new ArtifactStore(this.js, options.taskTtlMs ?? TASK_TTL_MS);
    const common = { clock: this.clock, log: this.log };
    this.outbox = new Outbox({
      nc,
      js: this.js,
      name: options.name,
      instance: this.instance,
      servers: options.servers.map(withoutCredentials),
      dir: options.outboxDir ?? defaultOutboxDir(process.env),
      ...(options.auditMode === undefined ? {} : { mode: options.auditMode }),
      ...(options.outboxBytesMax === undefined ? {} : { bytesMax: options.outboxBytesMax }),
      ...(options.auditShards === undefined ? {} : { shards: options.auditShards }),
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

  /**
   * Connects, makes what the mesh needs on the server, and makes sure that reports will be stored. Throws
   * UNAVAILABLE, UNAUTHENTICATED, CONFIG_INVALID (a credentials file) or USAGE.
   */
  static async open(options: MeshOptions): Promise<Mesh> {
    subjectToken(options.name, "name");
    const nc = await connectTo(options);
    try {
      // Else each bucket asks first whether JetStream is there; the calls below find out by themselves.
      const js = jetstream(nc, { checkAPI: false });
      const jsm = await js.jetstreamManager();
      const kvm = new Kvm(js);
      const ttl = options.taskTtlMs ?? TASK_TTL_MS;
      const cardTtl = options.cardTtlMs ?? limits.CARD_TTL_MS;
      const [tasks, cards] = await Promise.all([
        kvm.create(TASKS_BUCKET, { ttl, history: 1 }),
        kvm.create(CARDS_BUCKET, { ttl: cardTtl, history: 1 }),
        ensureTaskLog(jsm, ttl),
        requireAudit({
          nc,
          subject: auditSubject(options.name, "start"),
          retentionDays: options.auditRetentionDays ?? AUDIT_RETENTION_DAYS,
          clock: options.clock ?? systemClock,
          timeoutMs: options.connectTimeoutMs ?? limits.CONNECT_TIMEOUT_MS,
        }),
      ]);
      const mesh = new Mesh({ nc, jsm, kvm, tasks, cards, options });
      await mesh.registry.start();
      logConnection(nc, mesh.log);
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

  /** The transport on which we call `agent`. Throws UNAVAILABLE when there is no room for an outbox. */
  transport(agent: string): NatsTransport {
    this.outbox.open();
    const { nc, outbox, clock, log, name: caller, instance } = this;
    return new NatsTransport({
      nc,
      outbox,
      clock,
      log,
      caller,
      instance,
      agent: subjectToken(agent, "agent"),
    });
  }

  /**
   * Serves an agent from this process until `stop`, and keeps its card in the registry. Throws
   * UNAVAILABLE when there is no room for an outbox.
   */
  async serve(agent: AgentDefinition, options: { runningMax?: number } = {}): Promise<Serving> {
    this.outbox.open();
    const card = cardOf(agent, `nats://${this.nc.getServer()}`);
    const { nc, js, outbox, clock, instance, artifacts } = this;
    const log = this.log.with({ agent: agent.name });
    const server = new AgentServer({
      nc,
      agent,
      card,
      instance,
      tasks: new TaskLog({ nc, js, agent: agent.name, clock, log }),
      open: new OpenTasks(this.#tasks, agent.name, instance),
      artifacts,
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

  /** Puts an alarm of ours into the audit: a record each time it is raised. */
  async reportAlarm(id: string, body: string): Promise<void> {
    this.outbox.open();
    const { name, instance, clock } = this;
    await this.outbox.report({
      id: `${id}:${newId()}`,
      side: "agent",
      kind: "alarm",
      method: "Alarm",
      caller: name,
      agent: name,
      instance,
      atMs: clock.nowMs(),
      bytes: Buffer.byteLength(body),
      body,
    });
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
}

/** A URL may bear a user and a password. */
function withoutCredentials(url: string): string {
  return url.replace(/^(\w+:\/\/)?.*@/, "$1");
}
