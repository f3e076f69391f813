/**
 * Keys that sign: cards and notifications. A key is a JWK the operator gives (RFC 7517); ES256 and EdDSA
 * are taken. A private key never leaves this file but as what signs.
 */
import { type CryptoKey, calculateJwkThumbprint, importJWK, type JWK } from "jose";
import { z } from "zod";
import { PetrelError } from "../../core/mod.ts";

const PrivateJwk = z.union([
  z.object({
    kty: z.literal("EC"),
    crv: z.literal("P-256"),
    x: z.string(),
    y: z.string(),
    d: z.string(),
    kid: z.string().min(1).max(200).optional(),
  }),
  z.object({
    kty: z.literal("OKP"),
    crv: z.literal("Ed25519"),
    x: z.string(),
    d: z.string(),
    kid: z.string().min(1).max(200).optional(),
  }),
]);

export type SigningAlgorithm = "ES256" | "EdDSA";

/** Algorithms a signature may bear. `none` and everything symmetric are not among them. */
export const SIGNING_ALGORITHMS: readonly SigningAlgorithm[] = ["ES256", "EdDSA"];

/** A key that signs, and what receivers verify with. */
export interface SigningKey {
  /** Its id: the JWK's `kid`, else its thumbprint (RFC 7638). */
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly privateKey: CryptoKey;
  /** For a JWKS; holds nothing secret. */
  readonly publicJwk: JWK;
}

/**
 * Takes a private JWK: `{kty: "OKP", crv: "Ed25519", x, d}` or `{kty: "EC", crv: "P-256", x, y, d}`, with
 * or without `kid`. Throws CONFIG_INVALID, without the key, for anything else.
 */
export async function importSigningKey(jwk: unknown): Promise<SigningKey> {
  const parsed = PrivateJwk.safeParse(jwk);
  if (!parsed.success) throw invalid("must be a private JWK, Ed25519 or P-256");
  const alg = parsed.data.kty === "EC" ? "ES256" : "EdDSA";
  const { d: _secret, kid: named, ...open } = parsed.data;
  try {
    const privateKey = await importJWK(parsed.data, alg);
    if (privateKey instanceof Uint8Array) throw invalid("must be an asymmetric key");
    const kid = named ?? (await calculateJwkThumbprint(open));
    return { kid, alg, privateKey, publicJwk: { ...open, kid, alg, use: "sig" } };
  } catch {
    // The cause may quote the key.
    throw invalid("is no key that can sign");
  }
}

/** The JWKS that receivers fetch (RFC 7517 section 5): the public halves, newest first. */
export function publicJwks(keys: readonly SigningKey[]): { keys: JWK[] } {
  return { keys: keys.map(({ publicJwk }) => publicJwk) };
}

function invalid(problem: string): PetrelError {
  return new PetrelError("CONFIG_INVALID", `signing key: ${problem}`, { path: "signing.key" });
}
