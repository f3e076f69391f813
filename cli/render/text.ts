/** Words and figures for people. Colour only on a terminal that wants it (https://no-color.org). */

const CODES = {
  red: "31",
  green: "32",
  yellow: "33",
  blue: "34",
  cyan: "36",
  grey: "90",
  bold: "1",
} as const;
export type Colour = keyof typeof CODES;

export function isTerminal(): boolean {
  return process.stdout.isTTY;
}

export function colour(name: Colour, text: string): string {
  if (!isTerminal() || process.env.NO_COLOR) return text;
  return `\x1b[${CODES[name]}m${text}\x1b[0m`;
}

/** `41212` → `41,212`. */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** `212345` → `212k`. */
export function short(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)}M`;
  if (value >= 10_000) return `${Math.round(value / 1e3)}k`;
  return value >= 1_000 ? `${(value / 1e3).toFixed(1)}k` : String(Math.round(value));
}

export function seconds(ms: number): string {
  return ms < 100 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** One line of text that came from outside: no control characters, no escape sequences, bounded. */
export function oneLine(text: string, charsMax: number): string {
  const clean = text
    .replace(/[\p{Cc}\p{Cf}]+/gu, " ")
    .replace(/\s+/g, " ")
    .trim();
  return clean.length > charsMax ? `${clean.slice(0, charsMax - 1)}…` : clean;
}

/** A link on terminals that take one (OSC 8); nothing elsewhere. */
export function link(label: string, url: string | undefined): string {
  if (url === undefined || !isTerminal() || !/^https?:\/\/[\x21-\x7e]+$/.test(url)) return "";
  return `\x1b]8;;${url}\x1b\\${colour("blue", label)}\x1b]8;;\x1b\\`;
}
