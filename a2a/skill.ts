/**
 * Asks a skill, not an agent: whoever lives and has it answers, and from then on the task is that
 * agent's. What is known of whose a task is fades with the last thousands of tasks.
 */
import type {
  CancelTaskRequest,
  GetTaskRequest,
  Message,
  SendMessageRequest,
  StreamResponse,
  SubscribeToTaskRequest,
  Task,
} from "@a2a-js/sdk";
import type { RequestOptions } from "@a2a-js/sdk/client";
import { isSubjectToken, PetrelError } from "../core/mod.ts";
import type { NatsTransport } from "./transport.ts";

const TASKS_KNOWN_MAX = 4_096;

export interface SkillOptions {
  readonly skill: string;
  /** A transport that asks the skill, and tells who answered. */
  readonly ask: (onAgent: (agent: string) => void) => NatsTransport;
  readonly transport: (agent: string) => NatsTransport;
}

export class SkillClient {
  readonly #options: SkillOptions;
  readonly #agents = new Map<string, string>();

  constructor(options: SkillOptions) {
    this.#options = options;
  }

  /** As SendMessage. Throws UNAVAILABLE where no live agent has the skill. */
  async sendMessage(params: SendMessageRequest, options?: RequestOptions): Promise<Message | Task> {
    const taskId = params.message?.taskId;
    if (taskId) return this.#of(taskId).sendMessage(params, options);
    let agent = "";
    const answer = await this.#options
      .ask((name) => {
        agent = name;
      })
      .sendMessage(params, options);
    if (!("messageId" in answer)) this.#note(answer.id, agent);
    return answer;
  }

  /** As SendStreamingMessage; a stream that is cut goes on at the agent that answered. */
  async *sendMessageStream(
    params: SendMessageRequest,
    options?: RequestOptions,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    const taskId = params.message?.taskId;
    if (taskId) {
      yield* this.#of(taskId).sendMessageStream(params, options);
      return;
    }
    let agent = "";
    const transport = this.#options.ask((name) => {
      agent = name;
    });
    for await (const event of transport.sendMessageStream(params, options)) {
      if (event.payload?.$case === "task") this.#note(event.payload.value.id, agent);
      yield event;
    }
  }

  getTask(params: GetTaskRequest, options?: RequestOptions): Promise<Task> {
    return this.#of(params.id).getTask(params, options);
  }

  cancelTask(params: CancelTaskRequest, options?: RequestOptions): Promise<Task> {
    return this.#of(params.id).cancelTask(params, options);
  }

  resubscribeTask(
    params: SubscribeToTaskRequest,
    options?: RequestOptions,
  ): AsyncGenerator<StreamResponse, void, undefined> {
    return this.#of(params.id).resubscribeTask(params, options);
  }

  /** The agent that has a task of ours; undefined for a task this client has not seen. */
  agentOf(taskId: string): string | undefined {
    return this.#agents.get(taskId);
  }

  #of(taskId: string): NatsTransport {
    const agent = this.agentOf(taskId);
    if (agent !== undefined) return this.#options.transport(agent);
    const message = `no agent is known that has task ${taskId.slice(0, 128)}`;
    throw new PetrelError("USAGE", message, { skill: this.#options.skill });
  }

  #note(taskId: string, agent: string): void {
    if (!isSubjectToken(agent)) return;
    this.#agents.set(taskId, agent);
    if (this.#agents.size <= TASKS_KNOWN_MAX) return;
    for (const oldest of this.#agents.keys().take(1)) this.#agents.delete(oldest);
  }
}
