/**
 * The client's end of the NATS binding: the SDK's `Transport`, so that the SDK's client and our
 * agents call an agent the same way. Every call has a deadline, every stream an idle limit, and both
 * the request and every frame of the answer are reported to the audit outbox.
 */
import {
  AgentCard,
  CancelTaskRequest,
  DeleteTaskPushNotificationConfigRequest,
  GetExtendedAgentCardRequest,
  GetTaskPushNotificationConfigRequest,
  GetTaskRequest,
  ListTaskPushNotificationConfigsRequest,
  ListTaskPushNotificationConfigsResponse,
  ListTasksRequest,
  ListTasksResponse,
  type Message,
  SendMessageRequest,
  SendMessageResponse,
  type StreamResponse,
  SubscribeToTaskRequest,
  Task,
  TaskPushNotificationConfig,
} from "@a2a-js/sdk";
import type { RequestOptions, Transport, TransportFactory } from "@a2a-js/sdk/client";
import type { NatsConnection } from "@nats-io/nats-core";
import {
  type Clock,
  formatTraceparent,
  isSubjectToken,
  type Logger,
  limits,
  newId,
  newTrace,
  PetrelError,
  parseTraceparent,
  type TraceContext,
  unlessAborted,
} from "../core/mod.ts";
import { callRecord } from "./audit/call-record.ts";
import type { Outbox } from "./audit/outbox.ts";
import type { AuditRecord } from "./audit/record.ts";
import { textOrDigest } from "./body.ts";
import { type Call, DEFAULT_TIMEOUT_MS, requestHeaders, shardKeyOf } from "./call.ts";
import { fromErrorEnvelope, fromNatsError } from "./errors.ts";
import { readEnvelope } from "./frames.ts";
import { type Received, receiveStream } from "./receive.ts";
import { resumed } from "./resume.ts";
import {
  A2A_VERSION,
  HEADER,
  type Method,
  NATS_BINDING,
  rpcSubject,
  skillSubject,
} from "./subjects.ts";

export interface TransportOptions {
  readonly nc: NatsConnection;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly log: Logger;
  /** Our own name: the caller in the subject. */
  readonly caller: string;
  readonly instance: string;
  /** Whom we call; of a skill its id, until somebody answers. */
  readonly agent: string;
  /** Ask any agent that has this skill, which is `agent`'s id too. */
  readonly skill?: string | undefined;
  /** Told which agent answered what was asked of a skill. */
  readonly onAgent?: (agent: string) => void;
}

/** Where a request goes: to the agent, or to any that has the skill. */
export function requestSubject(
  { agent, skill, caller }: Pick<TransportOptions, "agent" | "skill" | "caller">,
  method: Method,
): string {
  if (skill !== undefined) return skillSubject(skill, caller, method);
  return rpcSubject(agent, caller, method);
}

/** Service parameters our callers may set, beside A2A's own (spec section 3.2.6). */
export function callParameters(options: {
  timeoutMs: number;
  trace: TraceContext;
}): Record<string, string> {
  return {
    [HEADER.timeout]: String(Math.max(1, Math.round(options.timeoutMs))),
    [HEADER.traceparent]: formatTraceparent(options.trace),
  };
}

export class NatsTransport implements Transport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  get protocolName(): string {
    return NATS_BINDING;
  }

  get protocolVersion(): string {
    return A2A_VERSION;
  }

  async sendMessage(params: SendMessageRequest, options?: RequestOptions): Promise<Message | Task> {
    const result = await this.#unary("SendMessage", SendMessageRequest.toJSON(params), options);
    const { payload } = SendMessageResponse.fromJSON(result);
    if (!payload) {
      throw new PetrelError(
        "PROTOCOL_VIOLATION",
        "SendMessage: result has neither task nor message",
        {
          place: "result",
          agent: this.#options.agent,
        },
      );
    }
    return payload.value;
  }

  sendMessageStream(
    params: SendMessageRequest,
    options?: RequestOptions,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    return this.#resumed("SendStreamingMessage", SendMessageRequest.toJSON(params), options);
  }

  resubscribeTask(
    params: SubscribeToTaskRequest,
    options?: RequestOptions,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    return this.#resumed("SubscribeToTask", SubscribeToTaskRequest.toJSON(params), options);
  }

  async getTask(params: GetTaskRequest, options?: RequestOptions): Promise<Task> {
    return Task.fromJSON(await this.#unary("GetTask", GetTaskRequest.toJSON(params), options));
  }

  async cancelTask(params: CancelTaskRequest, options?: RequestOptions): Promise<Task> {
    return Task.fromJSON(
      await this.#unary("CancelTask", CancelTaskRequest.toJSON(params), options),
    );
  }

  async listTasks(params: ListTasksRequest, options?: RequestOptions): Promise<ListTasksResponse> {
    return ListTasksResponse.fromJSON(
      await this.#unary("ListTasks", ListTasksRequest.toJSON(params), options),
    );
  }

  async getExtendedAgentCard(
    params: GetExtendedAgentCardRequest,
    options?: RequestOptions,
  ): Promise<AgentCard> {
    const json = GetExtendedAgentCardRequest.toJSON(params);
    return AgentCard.fromJSON(await this.#unary("GetExtendedAgentCard", json, options));
  }

  async createTaskPushNotificationConfig(
    params: TaskPushNotificationConfig,
    options?: RequestOptions,
  ): Promise<TaskPushNotificationConfig> {
    const json = TaskPushNotificationConfig.toJSON(params);
    return TaskPushNotificationConfig.fromJSON(
      await this.#unary("CreateTaskPushNotificationConfig", json, options),
    );
  }

  async getTaskPushNotificationConfig(
    params: GetTaskPushNotificationConfigRequest,
    options?: RequestOptions,
  ): Promise<TaskPushNotificationConfig> {
    const json = GetTaskPushNotificationConfigRequest.toJSON(params);
    return TaskPushNotificationConfig.fromJSON(
      await this.#unary("GetTaskPushNotificationConfig", json, options),
    );
  }

  async listTaskPushNotificationConfig(
    params: ListTaskPushNotificationConfigsRequest,
    options?: RequestOptions,
  ): Promise<ListTaskPushNotificationConfigsResponse> {
    const json = ListTaskPushNotificationConfigsRequest.toJSON(params);
    return ListTaskPushNotificationConfigsResponse.fromJSON(
      await this.#unary("ListTaskPushNotificationConfigs", json, options),
    );
  }

  async deleteTaskPushNotificationConfig(
    params: DeleteTaskPushNotificationConfigRequest,
    options?: RequestOptions,
  ): Promise<void> {
    const json = DeleteTaskPushNotificationConfigRequest.toJSON(params);
    await this.#unary("DeleteTaskPushNotificationConfig", json, options);
  }

  async #unary(method: Method, params: unknown, options?: RequestOptions): Promise<unknown> {
    const { nc, agent, clock, onAgent } = this.#options;
    const call = this.#newCall(method, params, options);
    options?.signal?.throwIfAborted();
    const body = requestBody(call, params);
    await this.#admit(call, body);
    const timeout = Math.max(1, call.deadlineMs - clock.nowMs());
    const request = nc.request(requestSubject(this.#options, method), body, {
      headers: requestHeaders({ ...call, timeoutMs: timeout }),
      timeout,
    });
    const message = await unlessAborted(request, options?.signal).catch((error: unknown) => {
      throw fromNatsError(error, agent);
    });
    onAgent?.(message.headers?.get(HEADER.agent) ?? "");
    const text = textOrDigest(message.data);
    const frame = message.headers?.get(HEADER.frame) === "error" ? "error" : undefined;
    await this.#report(call, "response", `${call.envelopeId}.r`, text, frame);
    const envelope = readEnvelope(text, call.envelopeId, agent);
    if (envelope.error) throw fromErrorEnvelope({ id: envelope.id, error: envelope.error });
    return envelope.result;
  }

  /** A stream that goes on where it was cut, on whatever replica, until the call's deadline. */
  #resumed(
    method: Method,
    params: unknown,
    options?: RequestOptions,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    const { clock, agent, log } = this.#options;
    const { deadlineMs, trace } = this.#newCall(method, params, options);
    const subscribe = (id: string, cursor: number): AsyncGenerator<Received> => {
      const serviceParameters = {
        ...options?.serviceParameters,
        ...callParameters({ timeoutMs: Math.max(1, deadlineMs - clock.nowMs()), trace }),
        [HEADER.cursor]: String(cursor),
      };
      const owner = new NatsTransport({ ...this.#options, agent: answering, skill: undefined });
      return owner.#stream("SubscribeToTask", { id }, { ...options, serviceParameters });
    };
    // Of a skill it is known once it answers.
    let answering = agent;
    const { skill, onAgent } = this.#options;
    const first = this.#stream(method, params, options, (name) => {
      if (skill !== undefined && isSubjectToken(name)) answering = name;
      onAgent?.(name);
    });
    // To subscribe twice harms nobody.
    const again =
      method === "SubscribeToTask" ? () => this.#stream(method, params, options) : undefined;
    const signal = options?.signal;
    const endsAtRest = method === "SendStreamingMessage";
    return resumed({ clock, agent, log, deadlineMs, endsAtRest, signal, first, again, subscribe });
  }

  #stream(
    method: Method,
    params: unknown,
    options?: RequestOptions,
    onAgent?: (agent: string) => void,
  ): AsyncGenerator<Received, void, undefined> {
    const call = this.#newCall(method, params, options);
    return receiveStream({
      ...this.#options,
      ...(onAgent ? { onAgent } : {}),
      subject: requestSubject(this.#options, method),
      call,
      admit: (body) => this.#admit(call, body),
      report: (kind, id, body, frame) => this.#report(call, kind, id, body, frame),
      body: requestBody(call, params),
      signal: options?.signal,
    });
  }

  #newCall(method: Method, params: unknown, options: RequestOptions | undefined): Call {
    const given = options?.serviceParameters ?? {};
    const asked = Number(given[HEADER.timeout] ?? DEFAULT_TIMEOUT_MS);
    const timeoutMs = asked > 0 ? asked : DEFAULT_TIMEOUT_MS;
    const trace = parseTraceparent(given[HEADER.traceparent]) ?? newTrace();
    const { clock, outbox } = this.#options;
    return {
      ...parametersOf(given),
      method,
      envelopeId: newId(),
      timeoutMs,
      deadlineMs: clock.nowMs() + timeoutMs,
      trace,
      shardKey: outbox.shards === 1 ? undefined : (shardKeyOf(params) ?? trace.traceId),
    };
  }

  /** Reports the request, which may leave when this resolves. Throws OVERLOADED in strict mode. */
  #admit(call: Call, body: string): Promise<void> | undefined {
    const record = this.#record(call, "request", call.envelopeId, body, undefined);
    return this.#options.outbox.reportBefore(record, call.deadlineMs, call.shardKey);
  }

  /** Reports an envelope that came in; waits only while the outbox is full. */
  #report(
    call: Call,
    kind: "response" | "frame",
    id: string,
    body: string,
    frame: string | undefined,
  ): Promise<void> | undefined {
    return this.#options.outbox.report(this.#record(call, kind, id, body, frame), call.shardKey);
  }

  #record(
    { method, trace }: Call,
    kind: AuditRecord["kind"],
    id: string,
    body: string,
    frame: string | undefined,
  ): AuditRecord {
    const end = { side: "caller", ...this.#options, method, trace } as const;
    return callRecord(end, { kind, id, body, frame });
  }
}

/** Plugs the binding into the SDK's client: `nats://host:port/a2a.v1.rpc.<agent>` (spec section 5.8). */
export class NatsTransportFactory implements TransportFactory {
  readonly #options: Omit<TransportOptions, "agent">;

  constructor(options: Omit<TransportOptions, "agent">) {
    this.#options = options;
  }

  get protocolName(): string {
    return NATS_BINDING;
  }

  async create(url: string): Promise<Transport> {
    const match = /\/a2a\.v1\.rpc\.([A-Za-z0-9_-]{1,128})$/.exec(url);
    if (!match?.[1]) {
      throw new PetrelError(
        "USAGE",
        `card: "${url.slice(0, 200)}" is not an A2A over NATS address`,
        { path: "url" },
      );
    }
    return new NatsTransport({ ...this.#options, agent: match[1] });
  }
}

/** What else a caller may say of its call; the names are the headers'. */
function parametersOf(
  given: Readonly<Record<string, string>>,
): Pick<Call, "extensions" | "onBehalf" | "scopes" | "cursor"> {
  const extensions = given[HEADER.extensions];
  const scopes = given[HEADER.scopes];
  const cursor = given[HEADER.cursor];
  return {
    ...(extensions === undefined ? {} : { extensions: extensions.split(",") }),
    ...(scopes === undefined ? {} : { scopes: scopes.split(" ") }),
    ...(cursor === undefined ? {} : { cursor: Number(cursor) }),
    onBehalf: given[HEADER.onBehalf],
  };
}

/**
 * The envelope's id is the JSON-RPC id too: an answer that bears another one is not ours. A body that
 * is too large is refused here, before anybody hears of it.
 */
function requestBody(call: Call, params: unknown): string {
  const body = JSON.stringify({ jsonrpc: "2.0", id: call.envelopeId, method: call.method, params });
  const bytes = Buffer.byteLength(body);
  if (bytes <= limits.ENVELOPE_BYTES_MAX) return body;
  throw new PetrelError("TOO_LARGE", `${call.method}: the request has ${bytes} bytes`, {
    limit: limits.ENVELOPE_BYTES_MAX,
  });
}
