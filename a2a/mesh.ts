/**
 * One process's place in the mesh: the connection, its outbox, the registry, and the agents it serves.
 */
import { hostname } from "node:os";
import type { Transport } from "@a2a-js/sdk/client";
import { type JetStreamClient, type JetStreamManager, jetstream } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/nats-core";
import type { JSONWebKeySet } from "jose";
import { z } from "zod";
import {
  asPetrelError,
  type Clock,
  type Logger,
  limits,
  newId,
  PetrelError,
  systemClock,
} from "../core/mod.ts";
import type { AgentDefinition } from "./agent.ts";
import { defaultOutboxDir } from "./audit/folder.ts";
import { type AuditMode, Outbox } from "./audit/outbox.ts";
import { requireAudit } from "./audit/require.ts";
import { CircuitBreakers } from "./calls/breaker.ts";
import { RetryBudget } from "./calls/call.ts";
import { EXTERNAL_BUCKET, ExternalAgents } from "./calls/external.ts";
import { ResilientTransport } from "./calls/resilient.ts";
import type { SigningKey } from "./cards/keys.ts";
import { CardVerifier } from "./cards/verify.ts";
import { type ConnectOptions, connectTo, logConnection } from "./connect.ts";
import { AddressGuard } from "./push/address.ts";
import { PUSH_BUCKET } from "./push/configs.ts";
import { BREAKERS_MAX, CARDS_BUCKET, type OpenBreaker, Registry } from "./registry.ts";
import { type Ground, type Serving, serveAgent, type Webhooks } from "./serving.ts";
import { SkillClient } from "./skill.ts";
import { auditSubject, subjectToken } from "./subjects.ts";
import { ArtifactStore } from "./tasks/artifacts.ts";
import { ensureTaskLog } from "./tasks/log.ts";
import { TASKS_BUCKET } from "./tasks/open.ts";
import { NatsTransport, NatsTransportFactory } from "./transport.ts";

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
  /** Where webhooks may be; default: nowhere inside, and https alone. */
  readonly webhooks?: Webhooks;
  /** Where a gateway is reached: large artifacts are there for those who are not in the mesh. */
  readonly publicUrl?: string;
  /** Signs our agents' cards and notifications. */
  readonly signingKey?: SigningKey;
  /** Cards of others have to be signed by one of these keys. */
  readonly trustedKeys?: JSONWebKeySet;
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
  /** How the agents we call are, as our calls found them. */
  readonly breakers: CircuitBreakers;
  readonly #budget: RetryBudget;
  readonly #webhooks: Webhooks;
  readonly #signingKey: SigningKey | undefined;
  readonly #tasks: KV;
  readonly #push: KV;
  #external: Promise<ExternalAgents> | undefined;
  readonly #serving: Serving[] = [];

  private constructor(parts: {
    nc: NatsConnection;
    jsm: JetStreamManager;
    kvm: Kvm;
    tasks: KV;
    cards: KV;
    push: KV;
    options: MeshOptions;
  }) {
    const { nc, options } = parts;
    this.nc = nc;
    // Whether JetStream is there was found out at the start.
    this.js = jetstream(nc, { checkAPI: false });
    this.jsm = parts.jsm;
    this.kvm = parts.kvm;
    this.name = options.name;
    this.instance = newId();
    this.clock = options.clock ?? systemClock;
    this.log = options.log.with({ instance: this.instance });
    this.#tasks = parts.tasks;
    this.#push = parts.push;
    this.#webhooks = options.webhooks ?? { guard: new AddressGuard() };
    this.#signingKey = options.signingKey;
    this.artifacts = new ArtifactStore(
      this.js,
      options.taskTtlMs ?? TASK_TTL_MS,
      options.publicUrl,
    );
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
    this.breakers = new CircuitBreakers({ clock: this.clock });
    this.#budget = new RetryBudget(this.clock);
    this.registry = new Registry({
      kv: parts.cards,
      ttlMs: options.cardTtlMs ?? limits.CARD_TTL_MS,
      ...(options.trustedKeys ? { verify: verifierOf(options.trustedKeys) } : {}),
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
      const [tasks, cards, push] = await Promise.all([
        kvm.create(TASKS_BUCKET, { ttl, history: 1 }),
        kvm.create(CARDS_BUCKET, { ttl: cardTtl, history: 1 }),
        kvm.create(PUSH_BUCKET, { ttl, history: 1 }),
        ensureTaskLog(jsm, ttl),
        requireAudit({
          nc,
          subject: auditSubject(options.name, "start"),
          retentionDays: options.auditRetentionDays ?? AUDIT_RETENTION_DAYS,
          clock: options.clock ?? systemClock,
          timeoutMs: options.connectTimeoutMs ?? limits.CONNECT_TIMEOUT_MS,
        }),
      ]);
      const mesh = new Mesh({ nc, jsm, kvm, tasks, cards, push, options });
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

  /** The binding itself, to `agent`. Throws UNAVAILABLE when there is no room for an outbox. */
  transport(agent: string): NatsTransport {
    return new NatsTransport({ ...this.#callParts(), agent: subjectToken(agent, "agent") });
  }

  /** Plugs the binding into the SDK's client. Throws as {@link transport}. */
  transportFactory(): NatsTransportFactory {
    return new NatsTransportFactory(this.#callParts());
  }

  /**
   * An agent as callers should call it: with a circuit breaker, and with retries where they help. `name`
   * is an agent of the mesh, or `external:<name>` for one that was added by its card's URL. Throws as
   * {@link transport}, and USAGE for an external agent that is not known.
   */
  async agent(name: string): Promise<Transport> {
    const { breakers, clock } = this;
    const external = /^external:(.*)$/.exec(name)?.[1];
    if (external !== undefined) return (await this.external()).transport(external);
    const inner = this.transport(name);
    return new ResilientTransport({ inner, target: name, breakers, budget: this.#budget, clock });
  }

  /** Any live agent that has the skill. Throws as {@link transport}. */
  skill(skill: string): SkillClient {
    const parts = { ...this.#callParts(), agent: subjectToken(skill, "skill"), skill };
    return new SkillClient({
      skill,
      ask: (onAgent) => new NatsTransport({ ...parts, onAgent }),
      transport: (agent) => this.transport(agent),
    });
  }

  /** Agents of others, known by the URL of their card. Throws what NATS says. */
  external(): Promise<ExternalAgents> {
    const { clock, breakers } = this;
    const { guard } = this.#webhooks;
    this.#external ??= this.kvm
      .create(EXTERNAL_BUCKET, { history: 1 })
      .then((kv) => new ExternalAgents({ kv, clock, breakers, budget: this.#budget, guard }));
    this.#external.catch(() => {
      this.#external = undefined;
    });
    return this.#external;
  }

  #callParts() {
    this.outbox.open();
    const { nc, outbox, clock, log, name: caller, instance } = this;
    return { nc, outbox, clock, log, caller, instance };
  }

  /**
   * Serves an agent from this process until `stop`, and keeps its card in the registry. Throws
   * UNAVAILABLE when there is no room for an outbox.
   */
  async serve(agent: AgentDefinition, options: { runningMax?: number } = {}): Promise<Serving> {
    this.outbox.open();
    const served = await serveAgent(this.#ground(), agent, options);
    const leaving = new AbortController();
    const announced = this.registry.announce(this.#replica(served), leaving.signal);
    const serving: Serving = {
      ...served,
      stop: async () => {
        await served.stop();
        leaving.abort();
        await announced.ended;
      },
    };
    await announced.first;
    this.#serving.push(serving);
    const server = this.nc.getServer();
    this.log.info("agent.serving", { agent: agent.name, server, version: this.serverVersion });
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

  #ground(): Ground {
    const { nc, js, jsm, artifacts, outbox, registry, instance, clock, log } = this;
    const own = { tasks: this.#tasks, push: this.#push, signingKey: this.#signingKey };
    const webhooks = this.#webhooks;
    return { nc, js, jsm, artifacts, outbox, registry, instance, clock, log, webhooks, ...own };
  }

  #replica({ agent, instance, card, running }: Serving) {
    const startedAt = new Date(this.clock.nowMs()).toISOString();
    const fixed = { agent, instance, host: hostname(), pid: process.pid, startedAt, card };
    return () => ({ ...fixed, running: running(), breakers: openBreakers(this.breakers) });
  }
}

/** Circuits that are not closed, as a card's entry tells of them. */
function openBreakers(breakers: CircuitBreakers): OpenBreaker[] {
  return breakers
    .list()
    .flatMap(({ target, state, retryAfterMs }) =>
      state === "closed" ? [] : [{ target, state, retryAfterMs }],
    )
    .slice(0, BREAKERS_MAX);
}

const AnyJson = z.record(z.string(), z.unknown());

function verifierOf(jwks: JSONWebKeySet): (json: unknown) => Promise<void> {
  const verifier = new CardVerifier({ jwks });
  return async (json) => void (await verifier.verify(AnyJson.parse(json)));
}

/** A URL may bear a user and a password. */
function withoutCredentials(url: string): string {
  return url.replace(/^(\w+:\/\/)?.*@/, "$1");
}
