/**
 * Signs a card (A2A 1.0 section 8.4). It signs what the specification says; where the official SDKs
 * read a card differently, it adds a signature over their reading, so that both find one that holds.
 */
import { AgentCard, type AgentCardSignature } from "@a2a-js/sdk";
import { FlattenedSign } from "jose";
import { z } from "zod";
import { PetrelError } from "../../core/mod.ts";
import { canonicalCard, sdkForm } from "./canonical.ts";
import type { SigningKey } from "./keys.ts";

const AnyJson = z.record(z.string(), z.unknown());

export interface SignOptions {
  /** Where the public keys are, as a URL; a hint for clients that trust that place. */
  readonly jku?: string;
  /** False: no second signature over the SDKs' reading, which covers less. Default true. */
  readonly alsoSdkForm?: boolean;
}

/**
 * The card with signatures by each key, in place of any it had. Send `AgentCard.toJSON` of it. Throws
 * PROTOCOL_VIOLATION for a card that lacks its capabilities or has no canonical form.
 */
export async function signCard(
  card: AgentCard,
  keys: readonly SigningKey[],
  options: SignOptions = {},
): Promise<AgentCard> {
  if (!card.capabilities) {
    throw new PetrelError("PROTOCOL_VIOLATION", "card: capabilities is required", {
      place: "capabilities",
    });
  }
  const json = AnyJson.parse(AgentCard.toJSON({ ...card, signatures: [] }));
  const { alsoSdkForm = true } = options;
  const texts = new Set([canonicalCard(json), ...(alsoSdkForm ? [sdkForm(json)] : [])]);
  const signed = keys.flatMap((key) => [...texts].map((text) => signText(text, key, options)));
  return { ...card, signatures: await Promise.all(signed) };
}

async function signText(
  text: string,
  { kid, alg, privateKey }: SigningKey,
  { jku }: SignOptions,
): Promise<AgentCardSignature> {
  const header = { alg, typ: "JOSE", kid, ...(jku === undefined ? {} : { jku }) };
  const jws = await new FlattenedSign(Buffer.from(text))
    .setProtectedHeader(header)
    .sign(privateKey);
  return { protected: jws.protected ?? "", signature: jws.signature, header: undefined };
}
