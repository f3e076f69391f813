/**
 * A JSON object in a message: its keys are the template, its values vary. It reads from left to right
 * without recursion; what is not well-formed is left to the plain scan.
 */
import { HASH_START, mixed } from "./characters.ts";
import { KIND, type Shape } from "./shape.ts";

/** An object with more keys than this is data, not a statement. */
const KEYS_MAX = 24;
const KEY_CHARS_MAX = 64;

/** Adds one token for the object that begins at `start`; answers its end, or 0 when it is none. */
export function scanJson(text: string, start: number, spaced: number, shape: Shape): number {
  let at = skipSpace(text, start + 1);
  if (text.charCodeAt(at) !== 34) return 0;
  let hash = HASH_START;
  for (let keys = 0; ; keys++) {
    const end = stringEnd(text, at);
    if (end === 0) return 0;
    const colon = skipSpace(text, end);
    if (text.charCodeAt(colon) !== 58) return 0;
    if (keys < KEYS_MAX && end - at <= KEY_CHARS_MAX) {
      for (let index = at; index < end; index++) hash = mixed(hash, alike(text.charCodeAt(index)));
    }
    at = skipSpace(text, valueEnd(text, skipSpace(text, colon + 1)));
    const code = text.charCodeAt(at);
    if (code !== 44) {
      // Cut off at the end of the text, it is an object all the same.
      if (code !== 125 && at < text.length) return 0;
      break;
    }
    at = skipSpace(text, at + 1);
    if (at >= text.length) break;
    if (text.charCodeAt(at) !== 34) return 0;
  }
  const end = Math.min(text.length, at + 1);
  shape.add(KIND.OBJ, hash, start, end, spaced);
  return end;
}

/** Its keys as a template shows them: `{"id":<*>, "items":<*>}`; undefined when it is no JSON. */
export function jsonText(text: string, start: number, end: number): string | undefined {
  let at = skipSpace(text, start + 1);
  if (text.charCodeAt(at) !== 34) return undefined;
  const keys: string[] = [];
  while (at < end && keys.length < KEYS_MAX && text.charCodeAt(at) === 34) {
    const keyEnd = stringEnd(text, at);
    const colon = skipSpace(text, keyEnd);
    if (keyEnd === 0 || text.charCodeAt(colon) !== 58) return undefined;
    if (keyEnd - at <= KEY_CHARS_MAX) keys.push(text.slice(at, keyEnd).replace(/\d+/g, "<NUM>"));
    at = skipSpace(text, valueEnd(text, skipSpace(text, colon + 1)));
    if (text.charCodeAt(at) !== 44) break;
    at = skipSpace(text, at + 1);
  }
  return `{${keys.map((key) => `${key}:<*>`).join(", ")}}`;
}

/** No shape keeps a digit (seen.ts relies on it). */
function alike(code: number): number {
  return code >= 48 && code <= 57 ? 48 : code;
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && text.charCodeAt(at) <= 32) at += 1;
  return at;
}

/** After the closing quote of the string that begins at `start`; 0 when it does not close. */
function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 92) at += 1;
    else if (code === 34) return at + 1;
  }
  return 0;
}

/** After a value of any kind; what is nested is passed over with its strings. */
function valueEnd(text: string, start: number): number {
  let open = 0;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 34) {
      const end = stringEnd(text, at);
      if (end === 0) return text.length;
      at = end - 1;
    } else if (code === 123 || code === 91) open += 1;
    else if (code === 125 || code === 93) {
      if (open === 0) return at;
      open -= 1;
    } else if (code === 44 && open === 0) return at;
  }
  return text.length;
}
