/**
 * Takes secrets out of text that leaves: card numbers, IBANs, bearer tokens, JWTs, API keys, passwords,
 * e-mail addresses, and what of a card may never be kept. What is found is replaced by its kind, with a
 * key also by what lets equals be joined. docs/redaction.md says what is found and what is not.
 */
import { PetrelError } from "./errors.ts";
import { redactJson } from "./redact/json.ts";
import { RULES_VERSION } from "./redact/rules.ts";
import { redactText } from "./redact/text.ts";
import { keyed, unkeyed } from "./redact/token.ts";

export interface RedactorOptions {
  /** Secret, at least 32 bytes. Without it tokens are not keyed, and do not join. */
  readonly key?: Uint8Array;
  /** Names the key: 1 to 16 of a-z and 0-9. Default `k1`. */
  readonly keyId?: string;
}

export interface Redactor {
  /** Rules and key, such as `petrel-redact/2+k1`: equal versions give equal tokens to equal secrets. */
  readonly version: string;
  /** `text` with a token in the place of every secret. Redacting twice is redacting once. */
  readonly redact: (text: string) => string;
  /**
   * As `redact`, for a JSON body: what was JSON stays JSON of the same shape, escapes are read, a
   * number that is a secret becomes a string. What is no JSON is redacted as text.
   */
  readonly redactJson: (text: string) => string;
}

const KEY_BYTES_MIN = 32;

/**
 * A redactor; it keeps the key, and nothing of what it redacts. Throws CONFIG_INVALID for a key that
 * is too short and an id that cannot stand in a header. An id without a key names nothing.
 */
export function makeRedactor({ key, keyId }: RedactorOptions = {}): Redactor {
  if (key && key.length < KEY_BYTES_MIN)
    throw invalid("key_file", `must hold at least ${KEY_BYTES_MIN} bytes, not ${key.length}`);
  if (keyId !== undefined && !/^[a-z0-9]{1,16}$/.test(keyId))
    throw invalid("key_id", "must be 1 to 16 of a-z and 0-9");
  const tokenise = key ? keyed(key) : unkeyed;
  return {
    version: key ? `${RULES_VERSION}+${keyId ?? "k1"}` : RULES_VERSION,
    redact: (text) => redactText(text, tokenise),
    redactJson: (text) => redactJson(text, tokenise),
  };
}

function invalid(name: string, problem: string): PetrelError {
  const path = `audit.redaction.${name}`;
  return new PetrelError("CONFIG_INVALID", `${path}: ${problem}`, { path });
}

/** `text` with every secret replaced by `[card]`, `[jwt]`, … The same text gives the same result. */
export function redact(text: string): string {
  return redactText(text, unkeyed);
}
