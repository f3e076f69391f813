/** Agents for tests: one that answers with messages, one that works on tasks as its data says. */
import { SendMessageRequest } from "@a2a-js/sdk";
import {
  type AgentDefinition,
  Mesh,
  type MeshOptions,
  type Turn,
  type TurnResult,
} from "../../a2a/mod.ts";
import { newId, silentLogger, systemClock } from "../../core/mod.ts";

export const echo: AgentDefinition = {
  name: "echo",
  description: "Answers with what it was sent.",
  version: "1.0.0",
  skills: [{ id: "echo", name: "Echo", description: "Says it again.", tags: ["test"] }],
  messageOnly: true,
  run: async (turn) => ({
    kind: "message",
    text: turn.text,
    data: { caller: turn.caller, got: turn.data },
  }),
};

/** `{steps, artifact, fail, hang}` in the data part says what the task does. */
export const worker: AgentDefinition = {
  ...echo,
  name: "worker",
  messageOnly: false,
  run: work,
};

async function work(turn: Turn): Promise<TurnResult> {
  const plan = (turn.data ?? {}) as {
    steps?: number;
    artifact?: unknown;
    fail?: string;
    hang?: boolean;
  };
  for (let step = 1; step <= (plan.steps ?? 0); step++) turn.progress(`step ${step}`, { step });
  if (plan.hang) await systemClock.sleep(600_000, turn.signal);
  if (plan.fail) throw new Error(plan.fail);
  await turn.artifact("result", { artifact: plan.artifact ?? null, trace: turn.trace.traceId });
  return { kind: "completed", text: "done" };
}

export function openMesh(
  url: string,
  name = "tester",
  options: Partial<MeshOptions> = {},
): Promise<Mesh> {
  return Mesh.open({ servers: [url], name, log: silentLogger, cardTtlMs: 1_500, ...options });
}

/** A request with one text and one data part. */
export function request(
  data: unknown,
  options: { text?: string; returnImmediately?: boolean } = {},
): SendMessageRequest {
  return SendMessageRequest.fromJSON({
    message: {
      messageId: newId(),
      role: "ROLE_USER",
      parts: [{ text: options.text ?? "hello" }, { data }],
    },
    configuration: { returnImmediately: options.returnImmediately ?? false },
  });
}
