/**
 * What stands where a secret stood: `[cvv]`, or with a key `[card:` and 24 letters `]`.
 *
 * The letters are the first 96 bits of HMAC-SHA-256 (RFC 2104) over the kind and the normalised
 * secret. 96 bits: among 10^9 secrets two share a token with a chance below 10^-11, and no length
 * guards the secret, for card numbers have little entropy: whoever has the key can try them all,
 * whoever lacks it learns only which are equal. Sixteen consonants write four bits each, so that a
 * token holds no digit, no capital and no word, and no rule finds a secret in it.
 */

/** The kinds whose equals may be told apart and joined; every other kind is never keyed. */
const NORMALISED: Readonly<Record<string, (secret: string) => string>> = {
  card: (secret) => secret.replace(/\D/g, ""),
  iban: (secret) => secret.replaceAll(" ", "").toUpperCase(),
  email: (secret) => secret.toLowerCase(),
  /** Without the scheme's name. */
  bearer: (secret) => secret.replace(/^\w+\s+/, ""),
  jwt: (secret) => secret,
  key: (secret) => secret,
};

export const LETTERS = "bcdfghjklmnpqrst";
export const TOKEN_BYTES = 12;

/** A token of either form, as the source of a pattern. */
export const TOKEN = `\\[[a-z]+(?::[${LETTERS}]{${2 * TOKEN_BYTES}})?\\]`;
const WHOLE_TOKEN = new RegExp(`^${TOKEN}$`);
const ANY_TOKEN = new RegExp(TOKEN, "g");
const KEY_TOKEN = new RegExp(`^\\[(?:jwt|bearer|key)(?::[${LETTERS}]+)?\\]$`);

export function isToken(text: string): boolean {
  return WHOLE_TOKEN.test(text);
}

export function withoutTokens(text: string): string {
  return text.includes("[") ? text.replace(ANY_TOKEN, "") : text;
}

/** A token that stands for a credential of high entropy. */
export function isKeyToken(text: string): boolean {
  return KEY_TOKEN.test(text);
}

/** The token for `secret`, which is of this kind. */
export type Tokenise = (kind: string, secret: string) => string;

export const unkeyed: Tokenise = (kind) => `[${kind}]`;

export function keyed(key: Uint8Array): Tokenise {
  const hmac = new Bun.CryptoHasher("sha256", key);
  return (kind, secret) => {
    const normalise = NORMALISED[kind];
    if (!normalise) return unkeyed(kind, secret);
    const digest = hmac
      .copy()
      .update(`${kind}\0${normalise(secret)}`)
      .digest();
    let letters = "";
    for (const byte of digest.subarray(0, TOKEN_BYTES))
      letters += LETTERS.charAt(byte >> 4) + LETTERS.charAt(byte & 15);
    return `[${kind}:${letters}]`;
  };
}
