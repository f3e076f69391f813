/** Reading what an agent sent back. A peer's bytes are checked before anything is made of them. */
import { z } from "zod";
import { PetrelError } from "../core/mod.ts";

const Envelope = z.object({
  jsonrpc: z.literal("2.0"),
  id: z.union([z.string(), z.number(), z.null()]),
  result: z.unknown().optional(),
  error: z
    .object({ code: z.number().int(), message: z.string(), data: z.unknown().optional() })
    .optional(),
});
export type Envelope = z.infer<typeof Envelope>;

/** Parses one JSON-RPC response and checks that it answers `requestId`. */
export function readEnvelope(text: string, requestId: string, agent: string): Envelope {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw violation(agent, "body", "not JSON", cause);
  }
  const parsed = Envelope.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw violation(agent, issue?.path.join(".") || "body", issue?.message ?? "malformed");
  }
  const envelope = parsed.data;
  // A malformed request is answered under a null id (JSON-RPC 2.0 section 5).
  if (envelope.id !== requestId && !(envelope.error && envelope.id === null)) {
    throw violation(agent, "id", "answers another request");
  }
  return envelope;
}

export function violation(
  agent: string,
  place: string,
  what: string,
  cause?: unknown,
): PetrelError {
  return new PetrelError(
    "PROTOCOL_VIOLATION",
    `agent "${agent}": ${place}: ${what}`,
    { agent, place },
    cause,
  );
}
