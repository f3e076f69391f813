/** Agents for tests of durable tasks. The message's text says what the turn does. */
import { SendMessageRequest, type Task } from "@a2a-js/sdk";
import type { AgentDefinition, Turn, TurnResult } from "../../../a2a/mod.ts";
import { textPart } from "../../../a2a/mod.ts";
import { newId, systemClock } from "../../../core/mod.ts";

/** `chunks N [MS]`, `ask`, `hang`, `big BYTES`, `say`, `fail`; anything else completes with the text. */
export const scribe: AgentDefinition = {
  name: "scribe",
  description: "Does what the text of the message says.",
  version: "1.0.0",
  skills: [{ id: "scribe", name: "Scribe", description: "Writes.", tags: ["test", "text"] }],
  repeatable: true,
  run: write,
};

/** The same, whose turns must not be done twice. */
export const clerk: AgentDefinition = { ...scribe, name: "clerk", repeatable: false };

async function write(turn: Turn): Promise<TurnResult> {
  const [verb, count = "0", pause = "0"] = turn.text.split(" ");
  if (verb === "ask" && !turn.task) return { kind: "input-required", text: "which one?" };
  if (verb === "say") return { kind: "message", text: "said" };
  if (verb === "fail") throw new Error("no luck");
  if (verb === "hang") await systemClock.sleep(600_000, turn.signal);
  if (verb === "big") await turn.attach("big", [textPart("b".repeat(Number(count)))]);
  if (verb === "chunks") await chunks(turn, Number(count), Number(pause));
  return { kind: "completed", text: turn.text };
}

async function chunks(turn: Turn, count: number, pauseMs: number): Promise<void> {
  for (let n = 1; n <= count; n++) {
    turn.signal.throwIfAborted();
    await turn.chunk("text", textPart(`${n};`), { last: n === count });
    if (pauseMs > 0) await systemClock.sleep(pauseMs, turn.signal);
  }
}

export interface Saying {
  readonly messageId?: string;
  readonly taskId?: string;
  readonly contextId?: string;
  readonly returnImmediately?: boolean;
}

export function saying(text: string, options: Saying = {}): SendMessageRequest {
  const { messageId = newId(), taskId, contextId, returnImmediately = false } = options;
  return SendMessageRequest.fromJSON({
    message: { messageId, taskId, contextId, role: "ROLE_USER", parts: [{ text }] },
    configuration: { returnImmediately },
  });
}

/** All text of an artifact that is not in the object store. */
export function textOf(task: Task, name: string): string {
  const parts = task.artifacts.find((artifact) => artifact.name === name)?.parts ?? [];
  return parts.map(({ content }) => (content?.$case === "text" ? content.value : "")).join("");
}
