/**
 * One cheap pass over a text that says which rules could match at all. Most bodies hold nothing, and
 * end here.
 *
 * Words are looked for two characters at a time. A word's rarest three characters lie across two
 * pairs, and one of the two begins at an even place: a table of all pairs of ASCII characters says
 * whether a pair is one of these, and only then is the word compared. Digits are looked for at every
 * 13th character, for no card number is shorter. A hint may be wrong; a missing hint may not.
 */

/** Bits, one for each group of rules. */
export type Hint = number;
export const hints = {
  DIGITS: 1,
  AT: 2,
  JWT: 4,
  BEARER: 8,
  SECRET: 16,
  CVV: 32,
  PIN: 64,
  KEY: 128,
  IBAN: 256,
  TRACK: 512,
  /** JSON's escape of an ASCII character, behind which anything may hide. */
  ESCAPE: 1024,
} as const satisfies Record<string, Hint>;

/** In lower case. A space is any white space or its escape; `<` in front begins and `>` behind ends a word. */
const WORDS: readonly (readonly [hint: Hint, words: string])[] = [
  [hints.JWT, "eyj"],
  [hints.ESCAPE, "\\u00"],
  [hints.SECRET, "api-key|api_key|apikey|secret|password|passwd|pwd|token|credential"],
  [hints.CVV, "cvv|cvc|cvn|cav2|cav_2|<csc|<cid>|verification|security code"],
  [hints.CVV, "securitycode|security_code|security-code"],
  [hints.PIN, "<pin>|<pinc|<pinn|<pinv|cardpin|pinblock|pin block|pin_block|pin-block"],
  [hints.TRACK, "<track>|<trackdata|stripe"],
  [hints.KEY, "<sk-|<sk_|<pk-|<pk_|<rk-|<rk_|gho_|ghp_|ghs_|ghu_|xoxa-|xoxb-|xoxp-|akia"],
  [hints.BEARER, "bearer |basic |splunk "],
];

interface Word {
  readonly hint: Hint;
  readonly text: string;
  readonly begins: boolean;
  readonly ends: boolean;
}

/** A word that a pair may be part of. */
interface Candidate extends Word {
  /** Where in the word the pair stands. */
  readonly offset: number;
  /** The third of the three characters, compared first: from the pair to it, and its code. */
  readonly toThird: number;
  readonly third: number;
}

const COMMON = "etaoinsrhldcumfpgwybvkxjqz";
/** Per pair of ASCII characters: 0, or a place in {@link CANDIDATES}. */
const PAIRS = new Uint8Array(128 * 128);
const CANDIDATES: Candidate[][] = [[]];

for (const [hint, words] of WORDS) {
  for (const marked of words.split("|")) {
    const begins = marked.startsWith("<");
    const ends = marked.endsWith(">");
    const text = marked.slice(begins ? 1 : 0, ends ? -1 : undefined);
    const first = rarestTriple(text);
    const word = { hint, text, begins, ends };
    enter({ ...word, offset: first, toThird: 2, third: foldCode(text, first + 2) });
    enter({ ...word, offset: first + 1, toThird: -1, third: foldCode(text, first) });
  }
}

/** Where the three characters stand that are least to be expected; white space may be any character. */
function rarestTriple(word: string): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let at = 0; at + 3 <= word.length; at++) {
    const [a = 0, b = 0, c = 0] = word
      .slice(at, at + 3)
      .split("")
      .map(frequency);
    const expected = a * b + b * c;
    if (expected >= least) continue;
    least = expected;
    best = at;
  }
  return best;
}

function frequency(char: string): number {
  if (char === " ") return Number.POSITIVE_INFINITY;
  if (char >= "0" && char <= "9") return COMMON.length;
  const rank = COMMON.indexOf(char);
  return rank < 0 ? 1 : COMMON.length - rank;
}

/** Letters in lower case; other characters may fall together. */
function foldCode(text: string, at: number): number {
  return text.charCodeAt(at) | 32;
}

/** One list for a pair in any case, so that a byte can tell the list. */
function enter(candidate: Candidate): void {
  const [first = "", second = ""] = candidate.text.slice(candidate.offset);
  const known = PAIRS[pairCode(first, second)] ?? 0;
  const list = known === 0 ? CANDIDATES.push([]) - 1 : known;
  CANDIDATES[list]?.push(candidate);
  for (const a of [first, first.toUpperCase()])
    for (const b of [second, second.toUpperCase()]) PAIRS[pairCode(a, b)] = list;
}

function pairCode(first: string, second: string): number {
  return (first.charCodeAt(0) << 7) | second.charCodeAt(0);
}

const IBAN = /[A-Z]{2}\d{2} ?[A-Z0-9]{4} ?[A-Z0-9]{4}/;
/** These words stand in many sentences; a secret follows a sign, or is a long word. */
const SECRET =
  /(?:api[-_]?key|secret|password|passwd|pwd|token|credentials?)[\\"'\snrt]*(?:[=:]|\\u)/i;
/** What a key goes on with: `TASK_STATE_WORKING` stands in every other body. */
const KEY = /[spr]k[-_][\w-]{16}|gh[opsu]_\w{16}|xox[abp]-[\w-]{16}|AKIA/;
const BEARER = /(?:bearer|basic|splunk)[\\\snrtu]+[\w.~+/=-]{12}/i;

/** The hints of `text`, or 0: then no rule finds anything in it, and no name in JSON says anything. */
export function scan(text: string): Hint {
  let found = scanWords(text) | scanDigits(text);
  if (text.includes("@")) found |= hints.AT;
  if (IBAN.test(text)) found |= hints.IBAN;
  if ((found & hints.SECRET) !== 0 && !SECRET.test(text)) found &= ~hints.SECRET;
  if ((found & hints.KEY) !== 0 && !KEY.test(text)) found &= ~hints.KEY;
  if ((found & hints.BEARER) !== 0 && !BEARER.test(text)) found &= ~hints.BEARER;
  return found;
}

/** Whether the name of a JSON member holds a word that may name a secret. */
export function isNameHinted(key: string): boolean {
  return (scanWords(key) & NAMES) !== 0;
}

const NAMES = hints.SECRET | hints.CVV | hints.PIN | hints.TRACK;

function scanWords(text: string): Hint {
  let found = 0;
  const end = text.length - 1;
  for (let at = 0; at < end; at += 2) {
    const pair = ((text.charCodeAt(at) & 127) << 7) | (text.charCodeAt(at + 1) & 127);
    const entry = PAIRS[pair];
    if (entry !== 0) found |= confirm(text, at, CANDIDATES[entry ?? 0] ?? [], found);
  }
  return found;
}

function confirm(text: string, at: number, candidates: readonly Candidate[], found: Hint): Hint {
  let confirmed = 0;
  for (const candidate of candidates) {
    if (foldCode(text, at + candidate.toThird) !== candidate.third) continue;
    const isKnown = ((found | confirmed) & candidate.hint) !== 0;
    if (!isKnown && standsAt(text, at - candidate.offset, candidate)) confirmed |= candidate.hint;
  }
  return confirmed;
}

function standsAt(text: string, start: number, word: Word): boolean {
  for (let place = 0; place < word.text.length; place++) {
    const expected = word.text.charCodeAt(place);
    const code = text.charCodeAt(start + place);
    if (expected === SPACE) {
      if (code > SPACE && code < 128 && code !== BACKSLASH) return false;
    } else if ((isLetter(code) ? code | 32 : code) !== expected) return false;
  }
  if (word.begins && !beginsAt(text, start)) return false;
  const after = text.charCodeAt(start + word.text.length);
  return !(word.ends && isLetter(after) && !isUpper(after));
}

/** After no letter, with a capital, or behind an escape such as `\n` or `%3D`, whose letter is none. */
function beginsAt(text: string, start: number): boolean {
  return (
    !isLetter(text.charCodeAt(start - 1)) ||
    isUpper(text.charCodeAt(start)) ||
    text.charCodeAt(start - 2) === BACKSLASH ||
    text.charCodeAt(start - 3) === PERCENT
  );
}

const SPACE = 32;
const PERCENT = 37;
const BACKSLASH = 92;

function isUpper(code: number): boolean {
  return code >= 65 && code <= 90;
}

function isLetter(code: number): boolean {
  return isUpper(code & ~32);
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** Digits, or what separates groups of them. */
function isDigitOrGap(code: number): boolean {
  return isDigit(code) || code === SPACE || code === 45;
}

const CARD_DIGITS_MIN = 13;

function scanDigits(text: string): Hint {
  for (let at = CARD_DIGITS_MIN - 1; at < text.length; at += CARD_DIGITS_MIN) {
    if (!isDigitOrGap(text.charCodeAt(at))) continue;
    let start = at;
    while (start > 0 && isDigitOrGap(text.charCodeAt(start - 1))) start--;
    let end = at + 1;
    while (end < text.length && isDigitOrGap(text.charCodeAt(end))) end++;
    if (end - start >= CARD_DIGITS_MIN && mayBeCard(text, start, end)) return hints.DIGITS;
    // What lies before `end` has been seen: the next place to look is counted from there.
    at = Math.max(at, end);
  }
  return 0;
}

/** Enough digits, grouped as a card's are, no fraction, and no instant counted since the epoch. */
function mayBeCard(text: string, start: number, end: number): boolean {
  let digits = 0;
  for (let at = start; at < end; at++) if (isDigit(text.charCodeAt(at))) digits++;
  if (digits < CARD_DIGITS_MIN) return false;
  if (TRACK_SIGNS.includes(text.charAt(end)) || isBehindEscape(text, start)) return true;
  const isOneGroup = digits === end - start;
  if (!isOneGroup) return GROUPS.test(text.slice(start, end + 1));
  // A number of JSON such as 4.111111111111111E15 is a whole one.
  if (FRACTION.test(text.slice(Math.max(0, start - 2), start)))
    return EXPONENT.includes(text.charAt(end));
  return text.charCodeAt(start) !== ONE || digits === 15;
}

/** What follows the number on a track. */
const TRACK_SIGNS = ["=", "^", "%", "D", "d"];
const FRACTION = /\d\.$/;
const EXPONENT = ["e", "E"];
const ONE = 49;
/** Not the digits of a UUID, whose groups are of other lengths or go on with a letter. */
const GROUPS = /\d{13}|(?<!\d)\d{4}[ -](?:\d{4}[ -]\d{4}[ -]\d{1,4}|\d{6}[ -]\d{4,5})(?!\w)/;

/** The first digits may be the end of an escape. */
function isBehindEscape(text: string, start: number): boolean {
  return /[%\\]/.test(text.slice(Math.max(0, start - 5), start));
}
