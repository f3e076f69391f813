/**
 * Serves one agent over NATS: a micro service whose endpoints are A2A's operations. A body goes through
 * the SDK's JSON-RPC layer to the agent's handler; the answer goes back as frames; both are reported
 * to the audit outbox. It never lets one bad envelope reach another, and never goes silent: a request
 * with a reply subject gets an answer.
 */
import { type AgentCard, AgentCard as AgentCardCodec } from "@a2a-js/sdk";
import { toJsonRpcError } from "@a2a-js/sdk/errors";
import { JsonRpcTransportHandler, ServerCallContext, validateVersion } from "@a2a-js/sdk/server";
import type { Msg, NatsConnection } from "@nats-io/nats-core";
import { type Service, Svcm } from "@nats-io/services";
import { type Clock, isSubjectToken, type Logger } from "../core/mod.ts";
import type { AgentDefinition } from "./agent.ts";
import type { Outbox } from "./audit/outbox.ts";
import type { AuditRecord } from "./audit/record.ts";
import { MalformedEnvelope, readBody, textOrDigest } from "./body.ts";
import { readCall } from "./call.ts";
import { obey, orderCancel } from "./control.ts";
import { checkParams } from "./params.ts";
import type { PushConfigs } from "./push/configs.ts";
import { Replier } from "./reply.ts";
import {
  callerOf,
  cardSubject,
  controlSubject,
  isRpcSubject,
  isSkillSubject,
  isStream,
  METHODS,
  type Method,
  NATS_BINDING,
  rpcEndpoint,
  SKILL_METHODS,
  skillEndpoint,
} from "./subjects.ts";
import type { ArtifactStore } from "./tasks/artifacts.ts";
import { AgentHandler, attachCall, type CallState } from "./tasks/handler.ts";
import type { TaskLog, TaskPlace } from "./tasks/log.ts";
import type { OpenTasks } from "./tasks/open.ts";
import type { TurnEntry } from "./tasks/record.ts";
import { TaskRunner } from "./tasks/runner.ts";
import { Supervisor } from "./tasks/supervise.ts";
import type { TaskWriter } from "./tasks/writer.ts";

export interface ServeOptions {
  readonly nc: NatsConnection;
  readonly agent: AgentDefinition;
  readonly card: AgentCard;
  readonly instance: string;
  readonly tasks: TaskLog;
  readonly open: OpenTasks;
  readonly artifacts: ArtifactStore;
  readonly push?: PushConfigs | undefined;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly log: Logger;
  readonly runningMax?: number;
}

type RpcAnswer = Awaited<ReturnType<JsonRpcTransportHandler["handle"]>>;

/** Answers under way have so long to leave when the agent stops. */
const LEAVE_MS_MAX = 2_000;
/** Stands for a caller whose name is no name. */
const UNNAMED = "unnamed";

export class AgentServer {
  readonly #options: ServeOptions;
  readonly #runner: TaskRunner;
  readonly #supervisor: Supervisor;
  readonly #rpc: JsonRpcTransportHandler;
  /** Shown by `nats micro stats`, whose own figures end when a handler becomes asynchronous. */
  readonly #measured = new Map<string, { answered: number; errors: number; seconds: number }>();
  readonly #stopping = new AbortController();
  readonly #serving = new Set<Promise<void>>();
  #service: Service | undefined;

  constructor(options: ServeOptions) {
    this.#options = options;
    const { nc, agent, instance, clock, log: logger, tasks: log, open, artifacts } = options;
    this.#runner = new TaskRunner({
      agent,
      instance,
      log,
      open,
      artifacts,
      clock,
      logger,
      runningMax: options.runningMax,
      onStored: (taskId, event, json, turn) => this.#reportEvent(taskId, event, json, turn),
      cancelElsewhere: (owner, place) =>
        orderCancel({ nc, agent: agent.name, log: logger }, owner, place),
    });
    const { name } = agent;
    this.#supervisor = new Supervisor({
      nc,
      agent: name,
      instance,
      runner: this.#runner,
      clock,
      log: logger,
    });
    this.#rpc = new JsonRpcTransportHandler(
      new AgentHandler({
        agent,
        card: options.card,
        runner: this.#runner,
        clock,
        push: options.push,
        stopping: this.#stopping.signal,
      }),
    );
  }

  /** Tasks running on this replica. */
  get running(): number {
    return this.#runner.size;
  }

  /** Who writes a task's log here; undefined where another replica does, or nobody. */
  writerOf(place: TaskPlace): TaskWriter | undefined {
    return this.#runner.running(place)?.writer;
  }

  async start(): Promise<void> {
    const { nc, agent, card, instance } = this.#options;
    const cardJson = JSON.stringify(AgentCardCodec.toJSON(card));
    const sha256 = new Bun.CryptoHasher("sha256").update(cardJson).digest("hex");
    this.#service = await new Svcm(nc).add({
      name: `petrel-${agent.name}`,
      version: agent.version,
      description: agent.description,
      metadata: {
        agent: agent.name,
        instance,
        "card-sha256": sha256,
        "card-subject": cardSubject(agent.name),
      },
      queue: agent.name,
      statsHandler: async ({ subject }) =>
        this.#measured.get(subject.split(".").at(-1) ?? "") ?? null,
    });
    for (const method of METHODS) {
      this.#listen(
        method,
        rpcEndpoint(agent.name, method),
        (subject) => isRpcSubject(subject, agent.name, method),
        (message) => this.#timed(method, message),
      );
    }
    for (const { id } of agent.skills) if (isSubjectToken(id)) this.#listenForSkill(id);
    const cards = cardSubject(agent.name);
    this.#listen(
      "Card",
      cards,
      (subject) => subject === cards,
      (message) => void message.respond(cardJson),
    );
    const control = controlSubject(agent.name, instance);
    this.#listen(
      "Control",
      control,
      (subject) => subject === control,
      (message) => obey(message, (place) => this.#runner.cancelHere(place)),
    );
    if (!agent.messageOnly) await this.#supervisor.start();
    await nc.flush();
  }

  /** Takes no more requests, ends running tasks as failed, and leaves the micro service. */
  async stop(): Promise<void> {
    await this.#supervisor.stop();
    await this.#service?.stop();
    await this.#runner.shutdown();
    this.#stopping.abort();
    const late = new AbortController();
    const waited = this.#options.clock.sleep(LEAVE_MS_MAX, late.signal).catch(() => {});
    await Promise.race([Promise.all(this.#serving), waited]);
    late.abort();
  }

  /**
   * Serves an endpoint. A message that bears another subject was not published there: a JetStream
   * consumer was aimed at it by somebody who may not (docs/nats.md), and it is passed over.
   */
  #listen(
    endpoint: string,
    subject: string,
    isOurs: (subject: string) => boolean,
    serve: (message: Msg) => Promise<void> | void,
    queue = this.#options.agent.name,
  ): void {
    const { log } = this.#options;
    this.#service?.addEndpoint(endpoint, {
      subject,
      queue,
      handler: (_error, message) => {
        if (!isOurs(message.subject)) {
          log.warn("rpc.forged", { endpoint, subject: message.subject.slice(0, 200) });
          return;
        }
        if (!mayAnswer(message)) {
          log.warn("rpc.no_reply_subject", { endpoint, subject: message.subject.slice(0, 200) });
          return;
        }
        // Not answered: the connection is closed, and there is nobody left to answer.
        const served = Promise.try(serve, message)
          .catch((error: unknown) => log.warn("rpc.not_answered", { endpoint, error }))
          .finally(() => this.#serving.delete(served));
        this.#serving.add(served);
      },
    });
  }

  /** One queue group for all agents that have the skill: one of them gets each request. */
  #listenForSkill(skill: string): void {
    for (const method of SKILL_METHODS) {
      this.#listen(
        `${method}-${skill}`,
        skillEndpoint(skill, method),
        (subject) => isSkillSubject(subject, skill, method),
        (message) => this.#timed(method, message),
        `skill-${skill}`,
      );
    }
  }

  async #timed(method: Method, message: Msg): Promise<void> {
    const startedMs = this.#options.clock.nowMs();
    const ok = await this.#serve(method, message);
    const sum = this.#measured.get(method) ?? { answered: 0, errors: 0, seconds: 0 };
    sum.answered++;
    if (!ok) sum.errors++;
    sum.seconds += (this.#options.clock.nowMs() - startedMs) / 1000;
    this.#measured.set(method, sum);
  }

  /** Answers one request; false when the answer was an error. Rejects when it cannot be sent. */
  async #serve(method: Method, message: Msg): Promise<boolean> {
    const { clock, log, agent, instance, outbox, nc } = this.#options;
    const caller = callerOf(message.subject);
    const known = isSubjectToken(caller) ? caller : UNNAMED;
    const call = readCall(method, known, message.headers, clock);
    const left = isStream(method) ? new AbortController() : undefined;
    const replier = new Replier({
      nc,
      outbox,
      clock,
      log,
      call,
      method,
      agent: agent.name,
      instance,
      to: message.reply ?? "",
      isOfSkill: message.subject.startsWith("a2a.v1.skill."),
      onGone: () => left?.abort(),
    });
    try {
      const { text, json, id } = readBody(message.data, method, caller);
      replier.rpcId = id;
      await replier.received(text);
      const state: CallState = left ? { call, left: left.signal } : { call };
      const answer = await this.#handle(json, id, state);
      if (Symbol.asyncIterator in answer) return await replier.stream(answer, state);
      await replier.unary(answer);
      return answer.error === undefined;
    } catch (error) {
      const isMalformed = error instanceof MalformedEnvelope;
      if (isMalformed) await replier.received(error.raw);
      else log.error("rpc.failed", { caller, method, error });
      const id = isMalformed ? error.rpcId : replier.rpcId;
      await replier.unary({
        jsonrpc: "2.0",
        id,
        error: isMalformed
          ? { code: error.rpcCode, message: error.message }
          : toJsonRpcError(error),
      });
      return false;
    }
  }

  #handle(
    body: Record<string, unknown>,
    id: string | number | null,
    state: CallState,
  ): Promise<RpcAnswer> | RpcAnswer {
    const { call } = state;
    try {
      validateVersion(call.version || "0.3", this.#options.card, NATS_BINDING);
      checkParams(call.method, body["params"]);
    } catch (error) {
      return { jsonrpc: "2.0", id, error: toJsonRpcError(error) };
    }
    const context = new ServerCallContext({
      requestedVersion: call.version,
      requestedExtensions: [...call.extensions],
      user: { isAuthenticated: true, userName: call.caller },
    });
    attachCall(context, state);
    return this.#rpc.handle(body, context);
  }

  /** A task's change, as the record from which its state can be told at any moment. */
  #reportEvent(taskId: string, event: number, json: string, turn: TurnEntry): void {
    const { outbox, clock, log, agent, instance } = this.#options;
    const body = textOrDigest(Buffer.from(json));
    const record: AuditRecord = {
      id: `${taskId}.e${event}`,
      side: "agent",
      kind: "task",
      method: turn.method,
      caller: turn.caller,
      agent: agent.name,
      instance,
      atMs: clock.nowMs(),
      traceparent: turn.traceparent,
      bytes: Buffer.byteLength(body),
      body,
    };
    try {
      // Nobody waits here: whatever is reported of this call afterwards waits behind it.
      void outbox.report(record, turn.shardKey);
    } catch (error) {
      log.error("task.not_reported", { taskId, event, error });
    }
  }
}

/**
 * Whether a request says where its answer goes, and may. An answer is published with our permissions: never
 * where we write tasks, records of the audit, or requests.
 */
function mayAnswer({ reply }: Msg): boolean {
  return reply !== undefined && reply !== "" && !/^(\$|audit\.|a2a\.v1\.(?!reply\.))/.test(reply);
}
