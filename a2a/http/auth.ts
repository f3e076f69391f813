/**
 * Who asks: a bearer JWT (RFC 6750, RFC 7519) becomes a principal and its scopes. Keys come from the
 * issuer's JWKS, from a file, or are one shared secret, and each kind has its own algorithms, so that a
 * token cannot choose. A client is never told what was wrong with its token.
 */
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from "jose";
import { z } from "zod";
import { type Clock, type Logger, PetrelError } from "../../core/mod.ts";
import { Refusal, SERVER_ERROR } from "./refusal.ts";
import { TokenCache } from "./token-cache.ts";

/** Whom a request is for. Without authentication it is nobody. */
export interface Identity {
  /** 1 to 128 of `A-Za-z0-9._:@-`. */
  readonly principal?: string | undefined;
  /** Spaces between (RFC 6749 section 3.3); absent: not restricted. */
  readonly scopes?: string | undefined;
}

/** Reads an `Authorization` header. Throws a refusal (401), or UNAVAILABLE when the keys are away. */
export type Authenticate = (authorization: string | null) => Promise<Identity>;

export interface JwtOptions {
  readonly keys: JwtKeys;
  readonly issuer: string;
  readonly audience: string;
  /** Clocks disagree by this much, in seconds. */
  readonly toleranceS?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Where the keys are: an address, a document that was read already, or a secret of at least 32 bytes. */
export type JwtKeys =
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "jwks"; readonly jwks: unknown }
  | { readonly kind: "secret"; readonly secret: Uint8Array };

const ASYMMETRIC = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split(" ");
const SECRET_BYTES_MIN = 32;
const TOLERANCE_S = 10;
const TOKEN_CHARS_MAX = 16 * 1024;
const SCOPES_BYTES_MAX = 2_000;
const KEYS_TIMEOUT_MS = 5_000;
const KEYS_BYTES_MAX = 256 * 1024;
/** Keys are looked up again after this long, and for an unknown key at most this often. */
const KEYS_MAX_AGE_MS = 600_000;
const KEYS_COOLDOWN_MS = 30_000;

/** Codes of errors that say nothing about the token. */
const KEYS_AWAY = new Set(["ERR_JWKS_TIMEOUT", "ERR_JWKS_INVALID", "ERR_JOSE_GENERIC"]);

const PRINCIPAL = /^[A-Za-z0-9._:@-]{1,128}$/;
const DIGEST = /^[0-9a-f]{64}$/;
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
/** A token without scopes may do what asks for none: a header that says so, where an empty one might not. */
const NO_SCOPES = "-";

const Jwks = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).min(1) });

/** Makes what checks tokens. Throws CONFIG_INVALID for keys that cannot be used. */
export function jwtAuthenticator(options: JwtOptions): Authenticate {
  const { clock, log, issuer, audience, toleranceS = TOLERANCE_S } = options;
  const { getKey, algorithms } = verifierOf(options.keys);
  const cache = new TokenCache<Identity>(clock);
  return async (authorization) => {
    const token = bearerOf(authorization);
    const known = cache.get(token);
    if (known) return known;
    try {
      const { payload } = await jwtVerify(token, getKey, {
        algorithms,
        issuer,
        audience,
        clockTolerance: toleranceS,
        requiredClaims: ["exp", "sub"],
        currentDate: new Date(clock.nowMs()),
      });
      const identity = identityOf(payload);
      cache.put(token, identity, (payload.exp ?? 0) * 1_000);
      return identity;
    } catch (error) {
      throw refused(error, log);
    }
  };
}

/** The principal and scopes of a token that was checked. Throws an error for a `sub` that is no text. */
function identityOf(payload: JWTPayload): Identity {
  const { sub } = payload;
  if (typeof sub !== "string" || sub === "") throw new errors.JWTInvalid("sub: missing");
  return { principal: principalOf(sub), scopes: scopesOf(payload) };
}

/** A subject that can be no header is known by its SHA-256; so is one that looks like such a digest. */
export function principalOf(sub: string): string {
  if (PRINCIPAL.test(sub) && !DIGEST.test(sub)) return sub;
  return new Bun.CryptoHasher("sha256").update(sub).digest("hex");
}

/** `scope` (RFC 8693 section 4.2) and `scp`, as some issuers name it. What is no scope grants nothing. */
export function scopesOf(payload: Readonly<Record<string, unknown>>): string {
  const said = [payload["scope"], payload["scp"]].flatMap((value) =>
    Array.isArray(value) ? value : [value],
  );
  const words = said.flatMap((value) => (typeof value === "string" ? value.split(" ") : []));
  let scopes = "";
  for (const word of new Set(words)) {
    if (!SCOPE.test(word) || scopes.length + word.length >= SCOPES_BYTES_MAX) continue;
    scopes += scopes === "" ? word : ` ${word}`;
  }
  return scopes || NO_SCOPES;
}

function bearerOf(authorization: string | null): string {
  const token = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(authorization ?? "")?.[1];
  if (token && token.length <= TOKEN_CHARS_MAX) return token;
  throw unauthenticated(authorization === null ? "" : ', error="invalid_token"');
}

function verifierOf(keys: JwtKeys): { getKey: JWTVerifyGetKey; algorithms: string[] } {
  if (keys.kind === "secret") {
    const { secret } = keys;
    if (secret.length < SECRET_BYTES_MIN) {
      throw invalid("secret", `must have at least ${SECRET_BYTES_MIN} bytes`);
    }
    return { getKey: async () => secret, algorithms: ["HS256"] };
  }
  if (keys.kind === "url") return { getKey: remoteKeys(keys.url), algorithms: ASYMMETRIC };
  const parsed = Jwks.safeParse(keys.jwks);
  if (!parsed.success) throw invalid("jwks_file", "is no JSON Web Key Set (RFC 7517)");
  // A secret in a set of public keys would be one that everybody can read.
  if (parsed.data.keys.some(({ kty }) => kty === "oct"))
    throw invalid("jwks_file", "holds a secret");
  return { getKey: createLocalJWKSet(parsed.data), algorithms: ASYMMETRIC };
}

function remoteKeys(url: string): JWTVerifyGetKey {
  return createRemoteJWKSet(new URL(url), {
    timeoutDuration: KEYS_TIMEOUT_MS,
    cooldownDuration: KEYS_COOLDOWN_MS,
    cacheMaxAge: KEYS_MAX_AGE_MS,
    [customFetch]: boundedFetch,
  });
}

/** The issuer's answer, at most KEYS_BYTES_MAX of it. */
async function boundedFetch(
  url: string,
  options: { headers: Headers; method: "GET"; redirect: "manual"; signal: AbortSignal },
): Promise<Response> {
  const response = await fetch(url, options);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > KEYS_BYTES_MAX) throw new Error("the key set is too large");
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks), { status: response.status });
}

/** Keys that cannot be had are our trouble; everything else is the token's. */
function refused(error: unknown, log: Logger): PetrelError {
  if (error instanceof errors.JOSEError && !KEYS_AWAY.has(error.code)) {
    log.debug("gateway.token_refused", { error });
    return unauthenticated(', error="invalid_token"');
  }
  log.error("gateway.keys_unavailable", { error });
  return new Refusal("UNAVAILABLE", "tokens cannot be checked now", {
    status: 503,
    rpcCode: -32603,
    headers: { "retry-after": "5" },
  });
}

function unauthenticated(challenge: string): Refusal {
  return new Refusal("UNAUTHENTICATED", "a valid bearer token is needed", {
    status: 401,
    rpcCode: SERVER_ERROR,
    reason: "UNAUTHENTICATED",
    headers: { "www-authenticate": `Bearer realm="petrel"${challenge}` },
  });
}

function invalid(path: string, what: string): PetrelError {
  return new PetrelError("CONFIG_INVALID", `gateway.jwt.${path}: ${what}`, {
    path: `gateway.jwt.${path}`,
  });
}
