/**
 * Petrel's own log: JSON lines for programs, short coloured lines on a terminal.
 * Goes to standard error, so that standard output stays the answer.
 * Values under a key that names a secret are never written, at any depth; secrets inside a text, such as
 * a URL's password, are redacted. What is logged may be hostile: it is bounded, and it cannot move a
 * terminal's cursor or begin a line.
 */
import { messageOf } from "./errors.ts";
import { redact } from "./redact.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

const RANK: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };
const COLOUR: Record<LogLevel, string> = { debug: "90", info: "36", warn: "33", error: "31" };
const SECRET_KEY = /pass(word)?|secret|token|authorization|api[-_]?key|credential/i;

/** Fields every line may carry: `traceId`, `taskId`, `windowId`, `agent`, and what the event adds. */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A logger whose every line carries `fields` too. */
  with(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level?: LogLevel;
  /** `true` for people, `false` for JSON lines. Default: whether standard error is a terminal. */
  readonly pretty?: boolean;
  readonly write?: (line: string) => void;
  readonly nowMs?: () => number;
}

const TEXT_CHARS_MAX = 2_000;
const ITEMS_MAX = 50;
/** Parts of one value in all: 50 items of 50 items would be many. */
const PARTS_MAX = 500;
const DEPTH_MAX = 5;

/** `value` as plain data without secrets; bounded, so that a value that holds itself ends. */
function safeValue(key: string, value: unknown, depth = 0, room = { parts: PARTS_MAX }): unknown {
  if (SECRET_KEY.test(key)) return "[secret]";
  if (typeof value === "string") return safeText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Error) {
    const code = "code" in value ? String(value.code) : value.name;
    return { code, message: safeText(messageOf(value, TEXT_CHARS_MAX)) };
  }
  if (value instanceof Date || value instanceof URL) return safeText(value.toJSON());
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= DEPTH_MAX || room.parts <= 0) return "[more]";
  const entries = Object.entries(value).slice(0, ITEMS_MAX);
  room.parts -= entries.length;
  const safe = entries.map(
    ([name, item]) => [name, safeValue(name, item, depth + 1, room)] as const,
  );
  return Array.isArray(value) ? safe.map(([, item]) => item) : Object.fromEntries(safe);
}

/** Cut after redacting, for half a secret is not recognised; cut before too, for the work is bounded. */
function safeText(text: string): string {
  return redact(text.slice(0, 4 * TEXT_CHARS_MAX)).slice(0, TEXT_CHARS_MAX);
}

/** Fields with a value; one that cannot be read, such as a getter that throws, is named as such. */
function safeFields(...all: readonly LogFields[]): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const fields of all) {
    for (const key of Object.keys(fields)) {
      try {
        if (fields[key] !== undefined) safe[key] = safeValue(key, fields[key]);
      } catch {
        safe[key] = "[unreadable]";
      }
    }
  }
  return safe;
}

function prettyLine(level: LogLevel, event: string, fields: LogFields, nowMs: number): string {
  const time = new Date(nowMs).toISOString().slice(11, 23);
  const rest = Object.entries(fields)
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ")
    .replaceAll(/[\p{Cc}\u2028\u2029]/gu, " ");
  return `\x1b[90m${time}\x1b[0m \x1b[${COLOUR[level]}m${level.padEnd(5)}\x1b[0m ${event} \x1b[90m${rest}\x1b[0m\n`;
}

/** Makes a logger. Writing is synchronous and never throws into the caller. */
export function makeLogger(options: LoggerOptions = {}, base: LogFields = {}): Logger {
  const least = RANK[options.level ?? "info"];
  const pretty = options.pretty ?? process.stderr.isTTY ?? false;
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const nowMs = options.nowMs ?? (() => Date.now());

  const emit = (level: LogLevel, event: string, fields: LogFields = {}) => {
    if (RANK[level] < least) return;
    const merged = safeFields(base, fields);
    const at = nowMs();
    write(
      pretty
        ? prettyLine(level, event, merged, at)
        : `${JSON.stringify({ time: new Date(at).toISOString(), level, event, ...merged })}\n`,
    );
  };

  return {
    debug: (event, fields) => emit("debug", event, fields),
    info: (event, fields) => emit("info", event, fields),
    warn: (event, fields) => emit("warn", event, fields),
    error: (event, fields) => emit("error", event, fields),
    with: (fields) => makeLogger(options, { ...base, ...fields }),
  };
}

/** A logger that writes nothing; for tests and library use. */
export const silentLogger: Logger = makeLogger({ write: () => {} });
