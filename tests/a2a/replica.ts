/**
 * One replica of an agent without its server: the handler over the real log, on a connection that a test
 * may spoil, with a clock that waits for nothing where asked. Nobody listens where it takes orders, so
 * to the others it is a replica that died.
 */
import { ServerCallContext } from "@a2a-js/sdk/server";
import type { NatsConnection } from "@nats-io/nats-core";
import { type AgentDefinition, cardOf } from "../../a2a/agent.ts";
import type { CallInfo } from "../../a2a/call.ts";
import type { Mesh } from "../../a2a/mod.ts";
import { AgentHandler, attachCall } from "../../a2a/tasks/handler.ts";
import { TaskLog, type TaskPlace } from "../../a2a/tasks/log.ts";
import { OpenTasks, TASKS_BUCKET } from "../../a2a/tasks/open.ts";
import { TaskRunner } from "../../a2a/tasks/runner.ts";
import {
  type Clock,
  type Logger,
  newId,
  newTrace,
  silentLogger,
  systemClock,
} from "../../core/mod.ts";

export interface Replica {
  readonly instance: string;
  readonly handler: AgentHandler;
  readonly runner: TaskRunner;
  /** `<taskId>.e<n>` of each event that it reported, in that order. */
  readonly reported: readonly string[];
}

export interface ReplicaOptions {
  /** Over which it writes the log; default the mesh's. */
  readonly nc?: NatsConnection;
  readonly clock?: Clock;
  readonly log?: Logger;
  readonly instance?: string;
  readonly cancelElsewhere?: (instance: string, place: TaskPlace) => Promise<boolean>;
}

export async function replicaOf(
  mesh: Mesh,
  agent: AgentDefinition,
  options: ReplicaOptions = {},
): Promise<Replica> {
  const { nc = mesh.nc, clock = systemClock, log: logger = silentLogger } = options;
  const { instance = newId(), cancelElsewhere = async () => false } = options;
  const kv = await mesh.kvm.open(TASKS_BUCKET);
  const reported: string[] = [];
  const runner = new TaskRunner({
    agent,
    instance,
    log: new TaskLog({ nc, js: mesh.js, agent: agent.name, clock, log: logger }),
    open: new OpenTasks(kv, agent.name, instance),
    artifacts: mesh.artifacts,
    clock,
    logger,
    onStored: (taskId, event) => void reported.push(`${taskId}.e${event}`),
    cancelElsewhere,
  });
  const card = cardOf(agent, "nats://test");
  return {
    instance,
    runner,
    reported,
    handler: new AgentHandler({
      agent,
      card,
      runner,
      clock,
      stopping: new AbortController().signal,
    }),
  };
}

/** A call of `client`, who waits for ten seconds. */
export function callContext(call: Partial<CallInfo> = {}): ServerCallContext {
  const context = new ServerCallContext({
    requestedVersion: "1.0",
    requestedExtensions: [],
    user: { isAuthenticated: true, userName: "client" },
  });
  const made: CallInfo = {
    method: "SendMessage",
    caller: "client",
    shardKey: "any",
    envelopeId: newId(),
    trace: newTrace(),
    deadlineMs: systemClock.nowMs() + 10_000,
    version: "1.0",
    extensions: [],
    onBehalf: undefined,
    scopes: undefined,
    cursor: undefined,
    ...call,
  };
  attachCall(context, { call: made });
  return context;
}

/** A clock on which every wait is over at once, and took as long as it was meant to. */
export function hastyClock(): Clock {
  let aheadMs = 0;
  return {
    nowMs: () => systemClock.nowMs() + aheadMs,
    sleep: async (ms, signal) => {
      await systemClock.sleep(0, signal);
      aheadMs += ms;
    },
  };
}
