/**
 * A tool that was called for a model, as an A2A exchange: the SRE agent tells itself, so that the audit
 * holds every call under the investigation's context, whatever becomes of the alarm.
 */
import { SendMessageRequest } from "@a2a-js/sdk";
import type { Transport } from "@a2a-js/sdk/client";
import { z } from "zod";
import { callParameters, type Turn, type TurnResult } from "../../a2a/mod.ts";
import { ToolUse } from "../../alarms/mod.ts";
import { newTrace } from "../../core/mod.ts";

export const TOOL_USE_SCHEMA = "petrel.tool-use/v1";
const TIMEOUT_MS = 10_000;

const ToolUseEvent = z.strictObject({
  schema: z.literal(TOOL_USE_SCHEMA),
  investigation: z.string().max(128),
  use: ToolUse,
});
type ToolUseEvent = z.infer<typeof ToolUseEvent>;

/** The same message id again is the same call, told once. Throws what the mesh says. */
export async function sendToolUse(
  self: Transport,
  told: { readonly messageId: string; readonly investigation: string; readonly use: ToolUse },
  signal: AbortSignal,
): Promise<void> {
  const { messageId, investigation, use } = told;
  const data: ToolUseEvent = { schema: TOOL_USE_SCHEMA, investigation, use };
  const message = {
    messageId,
    contextId: investigation,
    role: "ROLE_USER",
    parts: [{ data, mediaType: "application/json" }],
  };
  await self.sendMessage(SendMessageRequest.fromJSON({ message }), {
    serviceParameters: callParameters({ timeoutMs: TIMEOUT_MS, trace: newTrace() }),
    signal,
  });
}

/** The agent's side: only it may tell itself. */
export async function keepToolUse(turn: Turn, own: string): Promise<TurnResult> {
  const read = ToolUseEvent.safeParse(turn.data);
  if (turn.caller !== own || !read.success) {
    return { kind: "rejected", text: "only the SRE agent tells of the tools it used" };
  }
  const { use } = read.data;
  return { kind: "completed", text: `${use.tool}: ${use.outcome}`, data: read.data };
}
