/** The configuration of what agents show of themselves and where they may call back: cards, webhooks. */
import { z } from "zod";
import { Path } from "./config-types.ts";

/** Where clients' webhooks may be. By default nowhere inside, and https alone (docs/push.md). */
export const Webhooks = z.strictObject({
  /** Hosts, `.suffixes`, addresses and ranges inside that are allowed all the same. */
  allow: z.array(z.string().min(1).max(300)).max(1_000).default([]),
  allow_http: z.boolean().default(false),
  ca_file: Path.optional(),
});

/** Signed cards (A2A 1.0 section 8.4). */
export const Cards = z.strictObject({
  /** A private key as JWK; it signs this process's cards, the gateway's, and notifications. */
  key_file: Path.optional(),
  /** A JWKS; cards in the registry have to be signed by one of its keys. */
  trusted_keys_file: Path.optional(),
});
