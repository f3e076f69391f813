/**
 * Serves one agent from this process: its operations, its tasks, its webhooks and its card, as one thing
 * that starts and stops. What it is made of lives elsewhere.
 */
import type { AgentCard } from "@a2a-js/sdk";
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import type { KV } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/nats-core";
import type { Clock, Logger } from "../core/mod.ts";
import { type AgentDefinition, cardOf } from "./agent.ts";
import type { Outbox } from "./audit/outbox.ts";
import type { SigningKey } from "./cards/keys.ts";
import { signCard } from "./cards/sign.ts";
import type { AddressGuard } from "./push/address.ts";
import { PushConfigs } from "./push/configs.ts";
import { PushSender } from "./push/deliver.ts";
import { PushWorker } from "./push/worker.ts";
import type { Registry } from "./registry.ts";
import { AgentServer } from "./server.ts";
import type { ArtifactStore } from "./tasks/artifacts.ts";
import { followTask } from "./tasks/events.ts";
import { TaskLog } from "./tasks/log.ts";
import { OpenTasks } from "./tasks/open.ts";

/** Tasks of other replicas whose webhooks one replica serves; each is a consumer on the server. */
const PUSH_FOLLOWED_MAX = 512;

/** What an agent is served with. */
export interface Ground {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly tasks: KV;
  readonly push: KV;
  readonly artifacts: ArtifactStore;
  readonly outbox: Outbox;
  readonly registry: Registry;
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly webhooks: Webhooks;
  /** Signs cards and notifications; without it none is signed. */
  readonly signingKey?: SigningKey | undefined;
}

/** Where webhooks may be, and whom they are believed to be. */
export interface Webhooks {
  readonly guard: AddressGuard;
  /** PEM certificates of authorities trusted besides the system's. */
  readonly ca?: string | undefined;
}

export interface Serving {
  readonly agent: string;
  readonly instance: string;
  readonly card: AgentCard;
  readonly running: () => number;
  stop(): Promise<void>;
}

/** Starts to serve. Throws what NATS says when a bucket cannot be watched. */
export async function serveAgent(
  ground: Ground,
  agent: AgentDefinition,
  options: { readonly runningMax?: number },
): Promise<Serving> {
  const { nc, js, clock, instance, artifacts, outbox, signingKey } = ground;
  const log = ground.log.with({ agent: agent.name });
  const unsigned = cardOf(agent, `nats://${nc.getServer()}`);
  const card = signingKey ? await signCard(unsigned, [signingKey]) : unsigned;
  const tasks = new TaskLog({ nc, js, agent: agent.name, clock, log });
  const push = agent.messageOnly ? undefined : configsOf(ground, agent);
  const open = new OpenTasks(ground.tasks, agent.name, instance);
  const common = { nc, agent, card, instance, tasks, open, artifacts, push, outbox, clock, log };
  const server = new AgentServer({ ...common, ...options });
  await server.start();
  const leaving = new AbortController();
  // Webhooks are followed apart from clients, so that neither takes the other's room.
  const followersMax = PUSH_FOLLOWED_MAX;
  const pushed = push && new TaskLog({ nc, js, agent: agent.name, clock, log, followersMax });
  const pushing = push && pushed && workerOf(ground, push, server, pushed, log).run(leaving.signal);
  return {
    agent: agent.name,
    instance,
    card,
    running: () => server.running,
    stop: async () => {
      await server.stop();
      leaving.abort();
      await pushing;
      tasks.close();
      pushed?.close();
    },
  };
}

function configsOf({ push: kv, jsm, webhooks }: Ground, { name }: AgentDefinition): PushConfigs {
  return new PushConfigs({ kv, jsm, agent: name, guard: webhooks.guard });
}

function workerOf(
  { webhooks, signingKey, instance, registry, clock }: Ground,
  configs: PushConfigs,
  server: AgentServer,
  tasks: TaskLog,
  log: Logger,
): PushWorker {
  const { guard, ca } = webhooks;
  const sender = new PushSender({
    guard,
    clock,
    ...(signingKey ? { key: signingKey } : {}),
    ...(ca === undefined ? {} : { ca }),
  });
  return new PushWorker({
    configs,
    sender,
    instance,
    isGone: (other) => registry.isGone(other),
    clock,
    log,
    follow: (taskId, owner, after, signal) => {
      const place = { owner, taskId };
      return followTask({ log: tasks, place, writer: server.writerOf(place) }, after, signal);
    },
  });
}
