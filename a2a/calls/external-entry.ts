/** An external agent as it stands in the bucket. Reads and writes its JSON, nothing more. */
import { AgentCard } from "@a2a-js/sdk";
import { z } from "zod";
import type { CardTrust } from "./fetch-card.ts";

export interface ExternalAgent {
  /** Ours for it: one subject token. */
  readonly name: string;
  /** Where its card is. */
  readonly url: string;
  readonly card: AgentCard;
  /** The key that vouches for the card; undefined for a card that was believed as it came. */
  readonly kid: string | undefined;
  /** Milliseconds since the epoch; when its card was fetched last. */
  readonly addedAtMs: number;
  /** What its card must be signed by, now and when it is renewed. */
  readonly trust: CardTrust | undefined;
}

const Stored = z.object({
  url: z.url(),
  card: z.unknown(),
  kid: z.string().optional(),
  addedAtMs: z.number(),
  trust: z
    .object({
      jwks: z.object({ keys: z.array(z.looseObject({ kty: z.string() })) }),
      acceptSdkForm: z.boolean().default(false),
      jkus: z.array(z.string()).default([]),
    })
    .optional(),
});

/** Its name is the entry's key. */
export function writeExternal(agent: ExternalAgent): string {
  return JSON.stringify({ ...agent, name: undefined, card: AgentCard.toJSON(agent.card) });
}

/** Undefined for what is no entry of ours. */
export function readExternal(text: string, name: string): ExternalAgent | undefined {
  try {
    const { card, kid, trust, ...rest } = Stored.parse(JSON.parse(text));
    return { name, ...rest, kid, trust, card: AgentCard.fromJSON(card) };
  } catch {
    return undefined;
  }
}
