import { describe, expect, test } from "bun:test";
import {
  asPetrelError,
  ERROR_CODES,
  type ErrorCode,
  isErrorCode,
  isRetryable,
  messageOf,
  PetrelError,
} from "../../core/mod.ts";

const codes = Object.keys(ERROR_CODES).filter(isErrorCode);

describe("the closed set", () => {
  test("every code says whether to retry, and how the command exits", () => {
    expect(codes.length).toBe(Object.keys(ERROR_CODES).length);
    for (const code of codes) {
      const error = new PetrelError(code, "it broke");
      expect(["never", "later"]).toContain(error.retry);
      expect(error.exitCode).toBeGreaterThan(1);
      expect(error.exitCode).toBeLessThanOrEqual(255);
      expect(isRetryable(error)).toBe(error.retry === "later");
      // 4 is "a system is away": what may pass by itself, and nothing else.
      expect(error.exitCode === 4).toBe(error.retry === "later");
    }
  });

  test("a name of Object's own is no code", () => {
    for (const text of ["toString", "__proto__", "constructor", "", "usage", "USAGE "]) {
      expect(isErrorCode(text)).toBe(false);
    }
    expect(isErrorCode("USAGE")).toBe(true);
  });

  test("the JSON shape holds neither cause nor stack", () => {
    const error = new PetrelError("TOO_LARGE", "too big", { limit: 5 }, new Error("inner"));
    expect(JSON.parse(JSON.stringify(error))).toEqual({
      code: "TOO_LARGE",
      message: "too big",
      fields: { limit: 5 },
    });
    expect(error.cause).toBeInstanceOf(Error);
    expect("cause" in new PetrelError("USAGE", "x")).toBe(false);
  });

  test("an error that is not ours is never retried", () => {
    for (const thrown of [new Error("x"), "UNAVAILABLE", undefined, { retry: "later" }]) {
      expect(isRetryable(thrown)).toBe(false);
    }
  });
});

describe("asPetrelError", () => {
  const wrapped = (error: unknown, code: ErrorCode = "UNAVAILABLE") =>
    asPetrelError(error, code, "asking");

  test("passes ours through unchanged", () => {
    const ours = new PetrelError("CONFLICT", "held");
    expect(wrapped(ours)).toBe(ours);
  });

  test("names an abort and a timeout for what they are, whatever the caller guessed", () => {
    const aborted = new AbortController();
    aborted.abort();
    expect(wrapped(aborted.signal.reason)).toMatchObject({ code: "CANCELLED" });
    expect(wrapped(new DOMException("late", "TimeoutError"))).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      message: "asking: no answer in time",
    });
  });

  test("keeps a library's error as the cause and its message on one line", () => {
    const inner = new Error("line one\n  line two");
    const error = wrapped(inner, "PROTOCOL_VIOLATION");
    expect(error).toMatchObject({
      code: "PROTOCOL_VIOLATION",
      message: "asking: line one line two",
      cause: inner,
    });
  });
});

describe("messageOf", () => {
  test("reads anything that can be thrown", () => {
    const odd = Object.assign(new Error("x"), { message: 42 });
    expect(messageOf("text")).toBe("text");
    expect(messageOf(undefined)).toBe("undefined");
    expect(messageOf(Symbol("s"))).toBe("Symbol(s)");
    expect(messageOf(odd)).toBe("42");
    expect(messageOf(Object.create(null))).toBe("an error without a message");
  });

  test("is bounded", () => {
    expect(messageOf(new Error("a".repeat(10_000)))).toHaveLength(500);
    expect(messageOf("abcdef", 3)).toBe("abc");
  });
});
