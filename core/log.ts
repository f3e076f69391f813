/**
 * Petrel's own log: JSON lines for programs, short coloured lines on a terminal.
 * Goes to standard error, so that standard output stays the answer.
 * Values under a key that names a secret are never written.
 */

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

function safeValue(key: string, value: unknown): unknown {
  if (SECRET_KEY.test(key)) return "[secret]";
  if (value instanceof Error) {
    const code = "code" in value ? String(value.code) : value.name;
    return { code, message: value.message.slice(0, 1000) };
  }
  return value;
}

function prettyLine(level: LogLevel, event: string, fields: LogFields, nowMs: number): string {
  const time = new Date(nowMs).toISOString().slice(11, 23);
  const rest = Object.entries(fields)
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ");
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
    const merged: Record<string, unknown> = {};
    for (const [key, value] of Object.entries({ ...base, ...fields })) {
      if (value !== undefined) merged[key] = safeValue(key, value);
    }
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
