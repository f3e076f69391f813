/** A question made plain, so that rules can read it: no control characters, one case, no accents. */

/** One line without control characters; look-alike digits and letters as their plain ones. */
export function plainText(text: string, charsMax: number): string {
  return text
    .slice(0, charsMax)
    .normalize("NFKC")
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ")
    .trim()
    .slice(0, charsMax);
}

/** Lower case without accents: `depuis 14:40, où` becomes `depuis 14:40, ou`. */
export function folded(text: string): string {
  return text
    .toLowerCase()
    .normalize("NFD")
    .replace(/\p{M}+/gu, "")
    .normalize("NFC");
}

/** The words alone, with a space on both ends: a phrase is in them where ` phrase ` is. */
export function wordsOf(foldedText: string): string {
  return ` ${foldedText.replace(/[^\p{L}\p{N}]+/gu, " ").trim()} `;
}

export function hasPhrase(words: string, phrases: readonly string[]): boolean {
  return phrases.some((phrase) => words.includes(` ${phrase} `));
}
