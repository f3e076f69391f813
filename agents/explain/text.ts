/**
 * Text of others made safe to quote and to print: one line, without control characters and without what
 * hides or turns text around. It judges nothing.
 */

/** Controls, formats (zero width, left-to-right and back), private use, halves of pairs, line ends. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu;
/** Zero-width characters are taken out, so that they part no word; the rest becomes a space. */
const ZERO_WIDTH = /[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]/g;

/** One line of at most `charsMax` characters, cut at a word where one ends near. */
export function oneLine(text: string, charsMax: number): string {
  // Bounds the work on a text of megabytes before it bounds the result.
  const bounded = text.slice(0, 8 * charsMax + 1_000);
  const line = bounded.replace(ZERO_WIDTH, "").replace(UNSEEN, " ").replace(/\s+/g, " ").trim();
  return clipWords(line, charsMax);
}

/** Cut with an ellipsis, at the last space where that costs little. */
export function clipWords(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  const cut = text.slice(0, Math.max(0, charsMax - 1)).replace(/[\uD800-\uDBFF]$/, "");
  const space = cut.lastIndexOf(" ");
  return `${space > 0.7 * charsMax ? cut.slice(0, space) : cut}…`;
}

/**
 * The form in which texts are compared: compatible characters are one (`１` is `1`), the signs that the
 * digest replaced are back, and all is small.
 */
export function comparable(text: string): string {
  return text
    .replaceAll("‹", "<")
    .replaceAll("›", ">")
    .replaceAll(/[‘’]/g, "'")
    .replaceAll(/[“”„]/g, '"')
    .normalize("NFKC")
    .toLowerCase();
}

/** A name without its separators: `payment-service`, `PaymentService` and `payment service` are one. */
export function nameKey(name: string): string {
  return comparable(name).replace(/[^\p{L}\p{N}]/gu, "");
}

/** The marks of templates, which stand for a value: `<NUM>`. Anything else in such brackets is markup. */
const PLACEHOLDER =
  /[<‹](?:NUM|TIME|HEX|UUID|IP|HOST|PATH|STR|OBJ|LIST|LONG|ID|EMAIL|URL|\*)[>›]|-[>›]/g;

/** A text without templates' marks and arrows, which quoting brings along. */
export function withoutMarks(text: string): string {
  return text.replace(PLACEHOLDER, " ");
}

/** A text as it is told: the marks that the digest wrote otherwise are templates' again. */
export function restored(text: string): string {
  return text.trim().replace(PLACEHOLDER, (mark) => mark.replace("‹", "<").replace("›", ">"));
}
