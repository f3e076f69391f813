/**
 * A notice as a mail (RFC 5322, MIME): headers that nothing in a notice can add to, text/plain in UTF-8,
 * quoted-printable. Every notice of an incident refers to the incident's first, so that mail clients
 * show them as one conversation.
 */
import type { Notice } from "../notice.ts";
import { instantMs } from "../text.ts";
import { linesOf, WHOLE, wordsOf } from "../words.ts";

export interface MailOptions {
  readonly from: string;
  readonly to: readonly string[];
}

const SUBJECT_CHARS_MAX = 200;
const QP_LINE_CHARS_MAX = 76;
/** 45 bytes are 60 characters of base64; an encoded word may have 75. */
const WORD_BYTES_MAX = 45;
/** A line may have 998 characters; readers get the rest on the next. */
const PLAIN_HEADER = /^[ -~]{1,900}$/;

/** The whole message, lines ended by CRLF, dots not stuffed. */
export function mailOf(notice: Notice, { from, to }: MailOptions): string {
  const words = wordsOf(notice, { ...WHOLE, headingChars: SUBJECT_CHARS_MAX });
  const first = `${notice.incident}.1`;
  const sentMs = instantMs(notice.at);
  const headers: [string, string][] = [
    ["From", `Petrel <${mailbox(from)}>`],
    ["To", to.map(mailbox).join(",\r\n ")],
    ["Subject", unstructured(words.heading)],
    ...(sentMs === undefined ? [] : [["Date", mailDate(sentMs)] satisfies [string, string]]),
    ["Message-ID", messageId(notice.id)],
    ...(notice.id === first ? [] : threadOf(messageId(first))),
    ["Auto-Submitted", "auto-generated"],
    ["X-Petrel-Incident", token(notice.incident)],
    ["X-Petrel-Notice", token(notice.id)],
    ["MIME-Version", "1.0"],
    ["Content-Type", "text/plain; charset=utf-8"],
    ["Content-Transfer-Encoding", "quoted-printable"],
  ];
  const head = headers.map(([name, value]) => `${name}: ${value}`).join("\r\n");
  return `${head}\r\n\r\n${quotedPrintable(linesOf(words).join("\n"))}\r\n`;
}

function threadOf(id: string): [string, string][] {
  return [
    ["In-Reply-To", id],
    ["References", id],
  ];
}

function messageId(id: string): string {
  return `<${token(id)}@petrel>`;
}

/** An id is of such characters by its schema; a header must not rest on that alone. */
function token(id: string): string {
  return id.replace(/[^A-Za-z0-9._-]/g, "_");
}

function mailbox(address: string): string {
  return address.replace(/[^!-~]|[<>,;()\\"]/g, "");
}

/** RFC 5322: `Fri, 13 Mar 2026 14:25:00 +0000`. */
function mailDate(ms: number): string {
  return new Date(ms).toUTCString().replace("GMT", "+0000");
}

/** A header's free text: as it is where that is safe, else encoded words (RFC 2047). */
function unstructured(text: string): string {
  if (PLAIN_HEADER.test(text) && !text.includes("=?")) return text;
  const words: string[] = [];
  let chunk = "";
  for (const point of text) {
    if (Buffer.byteLength(chunk + point) > WORD_BYTES_MAX) {
      words.push(chunk);
      chunk = "";
    }
    chunk += point;
  }
  return [...words, chunk]
    .map((word) => `=?UTF-8?B?${Buffer.from(word).toString("base64")}?=`)
    .join("\r\n ");
}

/** RFC 2045, section 6.7; `\n` becomes a line's end. */
export function quotedPrintable(text: string): string {
  return text.split("\n").map(quotedLine).join("\r\n");
}

function quotedLine(line: string): string {
  const bytes = Buffer.from(line);
  const lines: string[] = [];
  let current = "";
  bytes.forEach((byte, at) => {
    const isLast = at === bytes.length - 1;
    const isPlain = (byte > 32 && byte < 127 && byte !== 61) || (byte === 32 && !isLast);
    const piece = isPlain
      ? String.fromCharCode(byte)
      : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    if (current.length + piece.length >= QP_LINE_CHARS_MAX) {
      lines.push(`${current}=`);
      current = "";
    }
    current += piece;
  });
  return [...lines, current].join("\r\n");
}
