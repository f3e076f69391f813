/**
 * Redaction of JSON that leaves JSON: strings and numbers are redacted one by one, escapes read, and
 * a member's name says what its value is. What holds no secret stays byte for byte as it was.
 */
import { type Name, nameOf } from "./names.ts";
import { scan } from "./scan.ts";
import { redactText } from "./text.ts";
import { isKeyToken, isToken, type Tokenise, withoutTokens } from "./token.ts";

/** JSON in a string of JSON, and so on; deeper it is text. */
const NESTED_MAX = 3;

/** `text` redacted as JSON if it is JSON (RFC 8259), else as text. */
export function redactJson(text: string, tokenise: Tokenise, nested = 0): string {
  if (scan(text) === 0) return text;
  if (!isJson(text)) return redactText(text, tokenise);
  return new Rewriter(text, tokenise, nested).rewrite();
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const NUMBER = /-?\d[\d.eE+-]*/y;
const COLON = /\s*:/y;

/** One pass over text that is known to be JSON. */
class Rewriter {
  readonly #text: string;
  readonly #tokenise: Tokenise;
  readonly #nested: number;
  #safe = "";
  #done = 0;
  /** Of the next value. */
  #name: Name | undefined;
  /** Per open array or object, what its members are named from outside. */
  readonly #outer: (Name | undefined)[] = [];

  constructor(text: string, tokenise: Tokenise, nested: number) {
    this.#text = text;
    this.#tokenise = tokenise;
    this.#nested = nested;
  }

  rewrite(): string {
    for (let at = 0; at < this.#text.length; ) at = this.#step(at);
    return this.#safe + this.#text.slice(this.#done);
  }

  /** Reads what begins at `at`; returns where it ends. */
  #step(at: number): number {
    const char = this.#text.charAt(at);
    if (char === '"') return this.#string(at);
    if (char === "-" || (char >= "0" && char <= "9")) return this.#number(at);
    if (char === "{") {
      // A password is a string; sensitive authentication data may lie deeper, such as {"value":123}.
      if (this.#name?.kind === "secret") this.#name = undefined;
      this.#outer.push(this.#name);
    } else if (char === "[") this.#outer.push(this.#name);
    else if (char === "}" || char === "]") this.#outer.pop();
    else if (char === ",") this.#name = this.#outer.at(-1);
    return at + 1;
  }

  #string(at: number): number {
    const end = endOfString(this.#text, at);
    const raw = this.#text.slice(at + 1, end - 1);
    const value = raw.includes("\\") ? String(JSON.parse(`"${raw}"`)) : raw;
    COLON.lastIndex = end;
    if (COLON.test(this.#text)) {
      const safe = redactText(value, this.#tokenise);
      this.#put(at, end, value, safe);
      // Of what is left of the name, so that redacting again finds the same.
      this.#name = nameOf(withoutTokens(safe)) ?? this.#outer.at(-1);
    } else this.#put(at, end, value, this.#redactValue(value));
    return end;
  }

  #redactValue(value: string): string {
    if (isToken(value)) return value;
    const name = this.#name;
    const isNamed = name?.holds(value, false) ?? false;
    if (isNamed && name && name.kind !== "secret") return this.#tokenise(name.kind, value);
    const isNested = this.#nested < NESTED_MAX && /^\s*[{[]/.test(value);
    const safe = isNested
      ? redactJson(value, this.#tokenise, this.#nested + 1)
      : redactText(value, this.#tokenise);
    return isNamed && !isKeyToken(safe) ? this.#tokenise("secret", value) : safe;
  }

  #number(at: number): number {
    NUMBER.lastIndex = at;
    const raw = NUMBER.exec(this.#text)?.[0] ?? "";
    const name = this.#name;
    const isNamed = name?.holds(raw, true) ?? false;
    const safe = isNamed && name ? this.#tokenise(name.kind, raw) : this.#redactNumber(raw);
    this.#put(at, at + raw.length, raw, safe);
    return at + Math.max(1, raw.length);
  }

  /** Also a card number that was written as 4.111111111111111E15. */
  #redactNumber(raw: string): string {
    if (raw.length < 13) return raw;
    const whole = /[.eE]/.test(raw) ? Number(raw) : Number.NaN;
    const digits = Number.isSafeInteger(whole) ? String(whole) : raw;
    const safe = redactText(digits, this.#tokenise);
    return safe === digits ? raw : safe;
  }

  /** A string in the place of what stands from `start` to `end`, if it was changed. */
  #put(start: number, end: number, value: string, safe: string): void {
    if (safe === value) return;
    this.#safe += this.#text.slice(this.#done, start) + JSON.stringify(safe);
    this.#done = end;
  }
}

/** Behind the quote that ends the string whose first quote is at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end + 1;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(at - 1 - backslashes) === 92) backslashes++;
  return backslashes % 2 === 1;
}
