/** What a pattern cannot say: sums, and what only looks like a secret. */

const SPACE = 32;
const DASH = 45;
const ZERO = 48;

/** Words that follow "basic" or "splunk" in a sentence have no digit and no capital inside. */
export function isCredential(match: string): boolean {
  return /[\d=]|[a-z][A-Z]/.test(match);
}

/**
 * 13 to 19 digits, with spaces or dashes, whose Luhn sum holds (ISO/IEC 7812-1 annex B), and not one
 * digit repeated. Instants are no cards: no issuer's numbers begin with 0, 20, or, but for airlines'
 * 15 digits, 1.
 */
export function isCardNumber(match: string): boolean {
  let places = 0;
  let sum = 0;
  let isRepeated = true;
  let first = -1;
  let second = -1;
  for (let at = match.length - 1; at >= 0; at--) {
    const code = match.charCodeAt(at);
    if (code === SPACE || code === DASH) continue;
    const digit = code - ZERO;
    if (digit < 0 || digit > 9) return false;
    const doubled = places % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
    isRepeated &&= places === 0 || digit === first;
    second = first;
    first = digit;
    places++;
  }
  if (places < 13 || places > 19 || isRepeated || first === 0) return false;
  if ((first === 2 && second === 0) || (first === 1 && places !== 15)) return false;
  return sum % 10 === 0;
}

/** ISO 13616: the number, its first four characters moved to the end, leaves 1 divided by 97. */
export function isIban(match: string): boolean {
  let places = 0;
  let rest = 0;
  for (let at = 4; at < match.length + 4; at++) {
    const code = match.charCodeAt(at % match.length);
    if (code === SPACE) continue;
    // A is 10, Z is 35.
    rest = code >= 65 ? rest * 100 + code - 55 : rest * 10 + code - ZERO;
    // Far below 2^53, so that the remainder is taken once in a while only.
    if (rest > 1e12) rest %= 97;
    places++;
  }
  return places >= 15 && places <= 34 && rest % 97 === 1;
}

/** ISO/IEC 7813 track 2: between its sentinels whatever it holds, else a card number and YYMM. */
export function isTrack2(match: string): boolean {
  if (/^(?:;|%3B).*(?:\?|%3F)$/i.test(match)) return true;
  const [, pan = "", month = ""] = /(\d{13,19})(?:=|%3D|D)\d\d(\d\d)/i.exec(match) ?? [];
  return isCardNumber(pan) && /^(?:0[1-9]|1[0-2])$/.test(month);
}
