/** Making the small things tasks are made of: parts, and an agent's own messages. */
import { type Message, Role } from "@a2a-js/sdk";
import { newId } from "../../core/mod.ts";
import type { Part } from "../agent.ts";

export function textPart(text: string): Part {
  const content = { $case: "text", value: text } as const;
  return { content, metadata: undefined, filename: "", mediaType: "text/plain" };
}

export function dataPart(data: unknown): Part {
  const content = { $case: "data", value: data } as const;
  return { content, metadata: undefined, filename: "", mediaType: "application/json" };
}

/** An agent's own message, for statuses and plain answers. */
export function agentMessage(
  ids: { readonly taskId: string; readonly contextId: string },
  parts: Message["parts"],
): Message {
  return {
    messageId: newId(),
    contextId: ids.contextId,
    taskId: ids.taskId,
    role: Role.ROLE_AGENT,
    parts,
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  };
}

export function firstData(message: Message): unknown {
  for (const { content } of message.parts) if (content?.$case === "data") return content.value;
  return undefined;
}

export function firstText(message: Message): string {
  for (const { content } of message.parts) if (content?.$case === "text") return content.value;
  return "";
}

/** About what a part weighs in JSON, in bytes, without making it. */
export function weightOf({ content }: Part): number {
  if (content?.$case === "text") return Buffer.byteLength(content.value);
  if (content?.$case === "raw") return Math.ceil(content.value.length / 3) * 4;
  if (content?.$case === "data") return JSON.stringify(content.value)?.length ?? 0;
  return content?.value.length ?? 0;
}
