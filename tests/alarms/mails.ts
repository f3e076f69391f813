/** Reads a mail the way a mail client does, as far as the tests need it. */
export interface DecodedMail {
  /** Unfolded, encoded words decoded; names in lower case, in their order. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Throws for a line of the head that is no header, and for a header that comes twice. */
export function decodeMail(text: string): DecodedMail {
  const end = text.indexOf("\r\n\r\n");
  const head = text.slice(0, end).replace(/\r\n[ \t]/g, " ");
  const headers = new Map<string, string>();
  for (const line of head.split("\r\n")) {
    const [, name, value = ""] = /^([A-Za-z-]+): (.*)$/.exec(line) ?? [];
    if (name === undefined) throw new Error(`no header: ${line}`);
    if (headers.has(name.toLowerCase())) throw new Error(`twice: ${name}`);
    headers.set(name.toLowerCase(), decodeWords(value));
  }
  return { headers, body: decodeQuoted(text.slice(end + 4)) };
}

function decodeWords(value: string): string {
  return value
    .replace(/\?= =\?/g, "?==?")
    .replace(/=\?UTF-8\?B\?([A-Za-z0-9+/=]*)\?=/g, (_all, base64: string) =>
      Buffer.from(base64, "base64").toString("utf8"),
    );
}

function decodeQuoted(text: string): string {
  const bytes = text
    .replace(/=\r\n/g, "")
    .replace(/=([0-9A-F]{2})/g, (_all, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  return Buffer.from(bytes, "latin1").toString("utf8").replaceAll("\r\n", "\n");
}
