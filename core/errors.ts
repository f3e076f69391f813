/**
 * The closed set of errors.
 *
 * Every error Petrel throws on purpose is a {@link PetrelError} with a literal code from
 * {@link ERROR_CODES}. The code decides two things a caller needs: whether trying again can help,
 * and the exit status of the command. A code that is not in the table does not compile.
 */

/** What a caller may do about it: `never` the same call cannot succeed; `later` it may, after a wait. */
export type Retry = "never" | "later";

export const ERROR_CODES = {
  /** The command line is wrong. */
  USAGE: { retry: "never", exitCode: 2 },
  /** The configuration is wrong; `fields.path` names the key. */
  CONFIG_INVALID: { retry: "never", exitCode: 2 },
  /** Promised by the design, not built yet. */
  NOT_BUILT_YET: { retry: "never", exitCode: 2 },
  /** A program Petrel needs (nats-server, prometheus …) is not installed and could not be fetched. */
  PROGRAM_MISSING: { retry: "never", exitCode: 3 },
  /** A system (NATS, Splunk, Prometheus, Grafana, an LLM) does not answer. */
  UNAVAILABLE: { retry: "later", exitCode: 4 },
  /** A system answered that it is busy or that a limit is reached. */
  OVERLOADED: { retry: "later", exitCode: 4 },
  /** The deadline passed before the answer came. */
  DEADLINE_EXCEEDED: { retry: "later", exitCode: 4 },
  /** A system refused our credentials. */
  UNAUTHENTICATED: { retry: "never", exitCode: 5 },
  /** Whoever asks is known, and may not. */
  FORBIDDEN: { retry: "never", exitCode: 5 },
  /** A system refused the query; `fields.message` is its own word. */
  QUERY_REFUSED: { retry: "never", exitCode: 5 },
  /** A query asks for more than a bound allows; `fields.limit` is the bound. */
  TOO_LARGE: { retry: "never", exitCode: 5 },
  /** A peer sent what its protocol does not allow; `fields.place` says where. */
  PROTOCOL_VIOLATION: { retry: "never", exitCode: 5 },
  /** A stream ended before its end was announced. */
  INCOMPLETE: { retry: "later", exitCode: 4 },
  /** The work was cancelled by the caller or by shutdown. */
  CANCELLED: { retry: "never", exitCode: 130 },
  /** Another process holds what this one wanted (lease, window, revision). */
  CONFLICT: { retry: "later", exitCode: 4 },
  /** A defect of Petrel itself. */
  INTERNAL: { retry: "never", exitCode: 70 },
} as const satisfies Record<string, { retry: Retry; exitCode: number }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** True for a string that is one of our codes; what a peer sends is only a string. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CODES, text);
}

export type ErrorFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** One error of the closed set. `message` is a sentence for people; `fields` is for programs. */
export class PetrelError extends Error {
  readonly code: ErrorCode;
  readonly fields: ErrorFields;

  constructor(code: ErrorCode, message: string, fields: ErrorFields = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "PetrelError";
    this.code = code;
    this.fields = fields;
  }

  get retry(): Retry {
    return ERROR_CODES[this.code].retry;
  }

  get exitCode(): number {
    return ERROR_CODES[this.code].exitCode;
  }

  /** The shape logs, A2A error details and KV records carry. Never holds the cause's stack. */
  toJSON(): { code: ErrorCode; message: string; fields: ErrorFields } {
    return { code: this.code, message: this.message, fields: this.fields };
  }
}

/** True for an error that says waiting may help. An error that is not ours is never retried. */
export function isRetryable(error: unknown): boolean {
  return error instanceof PetrelError && error.retry === "later";
}

/** The message of anything thrown, on one line, at most `charsMax` characters. */
export function messageOf(error: unknown, charsMax = 500): string {
  return textOf(error).replace(/\s+/g, " ").slice(0, charsMax);
}

/** What is thrown may be anything: an object without a prototype, a message that is no string. */
function textOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return "an error without a message";
  }
}

/** Wraps what a library threw into the closed set; an error of ours passes through unchanged. */
export function asPetrelError(error: unknown, code: ErrorCode, doing: string): PetrelError {
  if (error instanceof PetrelError) return error;
  if (error instanceof Error && error.name === "AbortError") {
    return new PetrelError("CANCELLED", `${doing}: cancelled`, {}, error);
  }
  if (error instanceof Error && error.name === "TimeoutError") {
    return new PetrelError("DEADLINE_EXCEEDED", `${doing}: no answer in time`, {}, error);
  }
  return new PetrelError(code, `${doing}: ${messageOf(error)}`, {}, error);
}
