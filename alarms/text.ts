/**
 * Text of logs and models, made harmless for any medium and cut to size. Which characters a medium reads
 * as markup is each sink's own matter. Pure.
 */

const ELLIPSIS = "…";
const URL_CHARS_MAX = 2_000;

/** Direction overrides make a line read otherwise than it is; controls move a terminal's cursor. */
const HIDDEN =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** Whole escape sequences of terminals: CSI, OSC with its end, and two-character ones. */
const SEQUENCES = [
  // oxlint-disable-next-line no-control-regex
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]/g,
  // oxlint-disable-next-line no-control-regex
  /(?:\u001b\]|\u009d)[^\u0007\u001b\u009c\n]*(?:\u0007|\u001b\\|\u009c)?/g,
  // oxlint-disable-next-line no-control-regex
  /\u001b[ -/]*[0-~]/g,
];

/** Without controls, escape sequences and direction overrides, line breaks as `\n`, valid Unicode. */
export function harmless(text: string): string {
  return SEQUENCES.reduce((rest, one) => rest.replace(one, ""), text.toWellFormed())
    .replace(/\r\n?|[\u2028\u2029\u0085]/g, "\n")
    .replaceAll("\t", " ")
    .replace(HIDDEN, "")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

/** The same on one line. */
export function oneLine(text: string): string {
  return harmless(text).replace(/\s+/g, " ");
}

export type Escape = (text: string) => string;
export const asIs: Escape = (text) => text;

/** Escaped, and with an ellipsis cut so that what is escaped has at most `charsMax` characters. */
export function cut(text: string, charsMax: number, escape: Escape = asIs): string {
  const whole = escape(text);
  if (whole.length <= charsMax) return whole;
  const points = Array.from(text);
  const upTo = (count: number) => escape(`${points.slice(0, count).join("").trimEnd()}${ELLIPSIS}`);
  let fits = 0;
  let tooMany = Math.min(points.length, charsMax) + 1;
  while (tooMany - fits > 1) {
    const middle = (fits + tooMany) >> 1;
    if (upTo(middle).length <= charsMax) fits = middle;
    else tooMany = middle;
  }
  return upTo(fits);
}

/** An http(s) address as a browser writes it, without a user; undefined for anything else. */
export function webAddress(link: string | undefined): string | undefined {
  if (link === undefined || !URL.canParse(link)) return undefined;
  const url = new URL(link);
  if (url.protocol !== "http:" && url.protocol !== "https:") return undefined;
  url.username = "";
  url.password = "";
  // What ends an address in plain text, in HTML or in Slack's own markup.
  const address = url.href.replace(/[|<>'"`\\{}^]/g, (one) =>
    encodeURIComponent(one).replace("'", "%27"),
  );
  return address.length <= URL_CHARS_MAX ? address : undefined;
}

/** Milliseconds since the epoch, or undefined where the text is no instant. */
export function instantMs(text: string): number | undefined {
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** `2026-03-13 14:20`, in UTC; what is no instant stays as it is. */
export function minute(text: string): string {
  const ms = instantMs(text);
  return ms === undefined
    ? oneLine(text)
    : new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}
