/**
 * Counts tokens as OpenAI's o200k_base does (GPT-4o and newer). The table is 2.4 MB of code and takes
 * some 70 MB, so it is loaded at the first question and not before. It is in the program: nothing is
 * ever fetched. Other models cut text otherwise; who counts for a bound keeps {@link MARGIN} below it.
 */

/** Tokens of a text, as o200k_base counts them or a few more; never throws, whatever the text. */
export type CountTokens = (text: string) => number;

/**
 * What is left free of a bound because the model that is asked may have another tokenizer. Llama's and
 * Mistral's need up to a tenth more for logs in English.
 */
export const MARGIN = 0.1;

/** What lies beyond is counted by its bytes, of which a token has at least one. */
const COUNTED_CHARS_MAX = 200_000;
/** The tokenizer takes the square of a run's length: 14 s for 100,000 times `a`, 0.1 s in such pieces. */
const RUN_CHARS_MAX = 200;
/** Texts it keeps the tokens of; the library's own bound is ten times that. */
const CACHE_ENTRIES_MAX = 10_000;

let loaded: Promise<CountTokens> | undefined;

/** The counter; loads its table once. Rejects only if the program is incomplete. */
export function loadTokenCounter(): Promise<CountTokens> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<CountTokens> {
  const { countTokens, setMergeCacheSize } = await import("gpt-tokenizer/encoding/o200k_base");
  setMergeCacheSize(CACHE_ENTRIES_MAX);
  // Text such as `<|endoftext|>` is text here: without this the library throws at it.
  const asText = { disallowedSpecial: new Set<string>() };
  return (text) => {
    // Half a pair becomes the sign for what cannot be read, as it does in UTF-8.
    const counted = text.slice(0, COUNTED_CHARS_MAX).toWellFormed();
    const beyond = Buffer.byteLength(text.slice(COUNTED_CHARS_MAX), "utf8");
    return runsCut(counted).reduce((sum, part) => sum + countTokens(part, asText), beyond);
  };
}

/** A text in parts, none of which has a longer run of one kind of character than the tokenizer bears. */
function runsCut(text: string): string[] {
  const parts: string[] = [];
  let from = 0;
  let run = 0;
  let kind = -1;
  for (let at = 0; at < text.length; at++) {
    const now = kindOf(text.charCodeAt(at));
    run = now === kind ? run + 1 : 1;
    kind = now;
    if (run < RUN_CHARS_MAX || isHighSurrogate(text.charCodeAt(at))) continue;
    parts.push(text.slice(from, at + 1));
    from = at + 1;
    run = 0;
  }
  return [...parts, text.slice(from)];
}

const SPACE = 0;
const SIGN = 1;
const DIGIT = 2;
const LETTER = 3;

/** Roughly the kinds that the tokenizer joins; all beyond ASCII count as one. */
function kindOf(code: number): number {
  if (code <= 32) return SPACE;
  if (code >= 48 && code <= 57) return DIGIT;
  if (code > 126 || (code >= 65 && code <= 90) || (code >= 97 && code <= 122)) return LETTER;
  return SIGN;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd8_00 && code <= 0xdb_ff;
}
