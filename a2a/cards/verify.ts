/**
 * Verifies a card against keys the operator trusts (A2A 1.0 section 8.4.3). A key is found by its `kid`
 * alone; a `jku` is followed only to a place the operator named. What it returns is the card as it was
 * signed: a field that no signature covers is not in it.
 */
import { AgentCard, type AgentCardSignature } from "@a2a-js/sdk";
import {
  decodeProtectedHeader,
  flattenedVerify,
  importJWK,
  type JSONWebKeySet,
  type JWK,
} from "jose";
import { z } from "zod";
import { asPetrelError, messageOf, PetrelError } from "../../core/mod.ts";
import { type CardJson, canonicalCard, sdkForm } from "./canonical.ts";

const SIGNATURES_MAX = 8;
const KEYS_MAX = 64;
const ALGORITHMS = ["ES256", "ES384", "ES512", "EdDSA", "Ed25519", "RS256", "PS256"];

export interface VerifierOptions {
  /** Keys that are trusted: a JWKS (RFC 7517). A revoked key is one that is not in it. */
  readonly jwks: JSONWebKeySet;
  /**
   * Also takes a signature over the SDKs' reading of a card; see {@link sdkForm}. The card returned then
   * lacks what that reading loses. Default false.
   */
  readonly acceptSdkForm?: boolean;
  /** Places whose keys are trusted too, compared with a signature's `jku` letter by letter. */
  readonly jkus?: readonly string[];
  /** Fetches a JWKS from one of `jkus`. */
  readonly fetchJwks?: (jku: string) => Promise<JSONWebKeySet>;
}

export interface VerifiedCard {
  /** The card as it was signed, with the signatures it came with. */
  readonly card: AgentCard;
  /** The key that vouches for it. */
  readonly kid: string;
  /** Whose reading of the card the signature is over. */
  readonly form: "specification" | "sdk";
}

/** The card as a signature may be over it. */
interface Reading {
  readonly form: VerifiedCard["form"];
  readonly text: string;
}

const Protected = z.object({
  alg: z.string(),
  kid: z.string().min(1).max(200),
  jku: z.string().max(2_000).optional(),
});
const Keys = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(KEYS_MAX) });
const AnyJson = z.record(z.string(), z.unknown());

export class CardVerifier {
  readonly #options: VerifierOptions;
  readonly #keys: readonly JWK[];

  /** Throws CONFIG_INVALID for what is no JWKS. */
  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#keys = readJwks(options.jwks);
  }

  /**
   * Verifies a card's JSON form as it was received. Throws PROTOCOL_VIOLATION with `place: "signatures"`
   * saying why: no signature, none by a key that is trusted, or the card was changed.
   */
  async verify(json: CardJson): Promise<VerifiedCard> {
    const { signatures, readings } = this.#read(json);
    if (signatures.length === 0) throw untrusted("it bears no signature");
    if (signatures.length > SIGNATURES_MAX) throw untrusted(`it bears over ${SIGNATURES_MAX}`);
    const reasons: string[] = [];
    for (const signature of signatures) {
      for (const { form, text } of readings) {
        const result = await this.#verifyOne(signature, text);
        if ("kid" in result) {
          const card = AgentCard.fromJSON(AnyJson.parse(JSON.parse(text)));
          return { card: { ...card, signatures }, kid: result.kid, form };
        }
        reasons.push(result.why);
      }
    }
    throw untrusted([...new Set(reasons)].join("; "));
  }

  /** The codec takes a card for what it should be, and trips over what it is not. */
  #read(json: CardJson): { signatures: AgentCardSignature[]; readings: readonly Reading[] } {
    try {
      const { signatures } = AgentCard.fromJSON(json);
      const readings: Reading[] = [{ form: "specification", text: canonicalCard(json) }];
      if (this.#options.acceptSdkForm) readings.push({ form: "sdk", text: sdkForm(json) });
      return { signatures, readings };
    } catch (error) {
      throw asPetrelError(error, "PROTOCOL_VIOLATION", "card: it cannot be read");
    }
  }

  async #verifyOne(
    { protected: header, signature }: AgentCardSignature,
    text: string,
  ): Promise<{ kid: string } | { why: string }> {
    const words = readHeader(header);
    if (!words) return { why: "a signature's header cannot be read" };
    const { kid, alg, jku } = words;
    const name = `key "${kid.slice(0, 60)}"`;
    if (!ALGORITHMS.includes(alg)) return { why: `${name}: the algorithm is not accepted` };
    const keys = (await this.#candidates(jku)).filter((jwk) => isKeyFor(jwk, kid, alg));
    if (keys.length === 0) return { why: `${name} is not trusted` };
    const jws = { protected: header, signature, payload: Buffer.from(text).toString("base64url") };
    for (const jwk of keys) {
      try {
        await flattenedVerify(jws, await importJWK(jwk, alg), { algorithms: [alg] });
        return { kid };
      } catch {
        // Another key may bear the same id.
      }
    }
    return { why: `the card is not what ${name} signed` };
  }

  async #candidates(jku: string | undefined): Promise<readonly JWK[]> {
    const { jkus = [], fetchJwks } = this.#options;
    if (jku === undefined || !fetchJwks || !jkus.includes(jku)) return this.#keys;
    return [...this.#keys, ...readJwks(await fetchJwks(jku))];
  }
}

function readHeader(header: string): z.infer<typeof Protected> | undefined {
  try {
    return Protected.parse(decodeProtectedHeader({ protected: header }));
  } catch {
    return undefined;
  }
}

function isKeyFor(jwk: JWK, kid: string, alg: string): boolean {
  const isSame = jwk.alg === undefined || jwk.alg === alg || isEd25519(jwk.alg, alg);
  const isForSigning = jwk.use === undefined || jwk.use === "sig";
  return jwk.kid === kid && jwk.kty !== "oct" && isSame && isForSigning;
}

/** One algorithm under two names (RFC 8037, RFC 9864). */
function isEd25519(one: string, other: string): boolean {
  const names = ["EdDSA", "Ed25519"];
  return names.includes(one) && names.includes(other);
}

function readJwks(jwks: unknown): readonly JWK[] {
  const parsed = Keys.safeParse(jwks);
  if (parsed.success) return parsed.data.keys;
  const words = `not a JWKS: ${messageOf(parsed.error.issues[0]?.message ?? "", 100)}`;
  throw new PetrelError("CONFIG_INVALID", `keys: ${words}`, { path: "keys" });
}

function untrusted(why: string): PetrelError {
  return new PetrelError("PROTOCOL_VIOLATION", `card: the signature does not hold: ${why}`, {
    place: "signatures",
  });
}
