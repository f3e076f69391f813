/**
 * The peer of `rpc-http`: the same echo as a task of the SDK's own server, with its handler, its store in
 * memory and its express router, called by its own client over HTTP.
 */
import { AgentCard, type Part, Role, TaskState, type TaskStatus } from "@a2a-js/sdk";
import { ClientFactory } from "@a2a-js/sdk/client";
import {
  AgentEvent,
  type AgentExecutor,
  DefaultRequestHandler,
  type ExecutionEventBus,
  InMemoryTaskStore,
  type RequestContext,
} from "@a2a-js/sdk/server";
import { jsonRpcHandler, UserBuilder } from "@a2a-js/sdk/server/express";
import express from "express";
import { newId, systemClock } from "../../core/mod.ts";
import type { Echo } from "./load.ts";
import { requestOf, type Served, type Stop, textOf } from "./sides.ts";

export async function serveExpress(): Promise<Served> {
  const app = express();
  const { promise, resolve } = Promise.withResolvers<number>();
  const server = app.listen(0, "127.0.0.1", () => {
    const address = server.address();
    resolve(typeof address === "object" && address ? address.port : 0);
  });
  const url = `http://127.0.0.1:${await promise}/`;
  const handler = new DefaultRequestHandler(
    cardOf(url),
    new InMemoryTaskStore(),
    new EchoExecutor(),
  );
  app.use(jsonRpcHandler({ requestHandler: handler, userBuilder: UserBuilder.noAuthentication }));
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    return { reported: 0 };
  };
  return { url, stop };
}

export async function openExpress(url: string): Promise<{ echo: Echo; stop: Stop }> {
  const client = await new ClientFactory().createFromAgentCard(cardOf(url));
  return {
    echo: async (text) => textOf(await client.sendMessage(requestOf(text))),
    stop: async () => ({ reported: 0 }),
  };
}

function cardOf(url: string): AgentCard {
  return AgentCard.fromJSON({
    name: "bench-express",
    description: "Answers with the text it was sent.",
    version: "1.0.0",
    supportedInterfaces: [{ url, protocolBinding: "JSONRPC", protocolVersion: "1.0" }],
    capabilities: { streaming: true },
    defaultInputModes: ["text/plain"],
    defaultOutputModes: ["application/json"],
    skills: [{ id: "echo", name: "Echo", description: "Says it again.", tags: ["bench"] }],
  });
}

/** The events our own agent's turn makes: the task, its artifact, its end. */
class EchoExecutor implements AgentExecutor {
  async execute(context: RequestContext, bus: ExecutionEventBus): Promise<void> {
    const { taskId, contextId, userMessage } = context;
    const ids = { taskId, contextId, metadata: undefined };
    const content = userMessage.parts[0]?.content;
    const text = content?.$case === "text" ? content.value : "";
    bus.publish(
      AgentEvent.task({
        id: taskId,
        contextId,
        status: statusOf(TaskState.TASK_STATE_WORKING, ids),
        artifacts: [],
        history: [userMessage],
        metadata: undefined,
      }),
    );
    const artifact = {
      artifactId: "echo",
      name: "echo",
      description: "",
      parts: [dataPart({ text })],
      metadata: undefined,
      extensions: [],
    };
    bus.publish(AgentEvent.artifactUpdate({ ...ids, artifact, append: false, lastChunk: true }));
    const status = statusOf(TaskState.TASK_STATE_COMPLETED, ids);
    bus.publish(AgentEvent.statusUpdate({ ...ids, status }));
  }

  async cancelTask(): Promise<void> {}
}

function dataPart(value: unknown): Part {
  const content = { $case: "data", value } as const;
  return { content, metadata: undefined, filename: "", mediaType: "application/json" };
}

function statusOf(state: TaskState, ids: { taskId: string; contextId: string }): TaskStatus {
  const message = {
    messageId: newId(),
    ...ids,
    role: Role.ROLE_AGENT,
    parts: [],
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  };
  return { state, message, timestamp: new Date(systemClock.nowMs()).toISOString() };
}
