import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { type LogLevel, makeLogger, PetrelError } from "../../core/mod.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const AT = Date.UTC(2026, 0, 29, 8, 45, 1, 234);

/** A logger and the lines it wrote. */
function recorded(options: { level?: LogLevel; pretty?: boolean } = {}) {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const log = makeLogger({ pretty: false, ...options, write, nowMs: () => AT });
  return { log, lines };
}

function jsonOf(fields: Record<string, unknown>): Record<string, unknown> {
  const { log, lines } = recorded();
  log.info("event", fields);
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? "") as Record<string, unknown>;
}

describe("JSON lines", () => {
  test("one object a line: time, level, event, fields; nothing for what is undefined", () => {
    const { log, lines } = recorded();
    log.with({ agent: "sre" }).warn("window.late", { windowId: "w1", lateMs: 5, gone: undefined });
    expect(lines).toEqual([
      `{"time":"2026-01-29T08:45:01.234Z","level":"warn","event":"window.late","agent":"sre","windowId":"w1","lateMs":5}\n`,
    ]);
  });

  test("a line's fields win over its logger's, and loggers do not share", () => {
    const { log, lines } = recorded();
    const child = log.with({ agent: "a", taskId: "t" });
    child.info("one", { agent: "b" });
    log.info("two");
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { agent: "b", taskId: "t" },
      { event: "two" },
    ]);
    expect(lines[1]).not.toContain("agent");
  });

  test("any value becomes one line that parses", () => {
    const property = fc.property(fc.dictionary(fc.string(), fc.anything()), (fields) => {
      const { log, lines } = recorded();
      log.info("event", fields);
      expect(lines).toHaveLength(1);
      expect(lines[0]?.slice(0, -1)).not.toContain("\n");
      expect(() => JSON.parse(lines[0] ?? "")).not.toThrow();
    });
    fc.assert(property, { seed });
  });

  test("what JSON cannot hold does not throw into the caller", () => {
    const itself: Record<string, unknown> = {};
    itself.again = itself;
    const many: unknown[] = [];
    many.push(...Array.from({ length: 100 }, () => many));
    const trap = {
      get value(): string {
        throw new Error("no");
      },
    };
    const line = jsonOf({ itself, many, big: 12n, bytes: new Uint8Array(9), trap });
    expect(line).toMatchObject({ big: "12", bytes: "[9 bytes]", trap: "[unreadable]" });
    expect(JSON.stringify(line).length).toBeLessThan(50_000);
  });

  test("an error is its code and message, ours or not", () => {
    expect(jsonOf({ error: new PetrelError("CONFLICT", "held") }).error).toEqual({
      code: "CONFLICT",
      message: "held",
    });
    expect(jsonOf({ error: new TypeError("odd") }).error).toEqual({
      code: "TypeError",
      message: "odd",
    });
  });
});

describe("secrets", () => {
  const SECRET = "hunter2-Tr0ub4dor";
  const holders: [string, Record<string, unknown>][] = [
    ["a key that names it", { password: SECRET, apiKey: SECRET, Authorization: SECRET }],
    ["a nested key", { nats: { servers: [], token: SECRET } }],
    ["a key in a list", { list: [{ deep: { client_secret: SECRET } }] }],
    ["a URL", { url: `https://svc:${SECRET}@splunk.bank.example:8089/services` }],
    ["a URL without a dot in its host", { url: `nats://svc:${SECRET}@localhost:4222` }],
    ["a nested URL", { nats: { servers: [`nats://svc:${SECRET}@nats-0:4222`] } }],
    ["a URL object", { url: new URL(`https://svc:${SECRET}@grafana/`) }],
    ["an error's message", { error: new Error(`GET https://u:${SECRET}@h/: refused`) }],
    ["an error in a list", { errors: [new Error(`password=${SECRET}`)] }],
    ["a header in a text", { text: `Authorization: Bearer ${SECRET}${SECRET}` }],
    ["a JSON text", { body: JSON.stringify({ password: SECRET }) }],
    ["a JSON text in a JSON text", { body: JSON.stringify(JSON.stringify({ token: SECRET })) }],
  ];

  for (const [where, fields] of holders) {
    test(`in ${where} are never written`, () => {
      for (const pretty of [false, true]) {
        const { log, lines } = recorded({ pretty });
        log.info("event", fields);
        log.with(fields).info("event");
        expect(lines.join("")).not.toContain(SECRET);
      }
    });
  }

  test("host and path of a URL stay readable", () => {
    expect(jsonOf({ url: `https://u:${SECRET}@splunk:8089/services` }).url).toBe(
      "https://[credentials]@splunk:8089/services",
    );
  });
});

describe("on a terminal", () => {
  test("a short line with the time, the level and the fields", () => {
    const { log, lines } = recorded({ pretty: true });
    log.error("window.failed", { windowId: "w1", count: 3 });
    const [line = ""] = lines;
    expect(Bun.stripANSI(line)).toBe("08:45:01.234 error window.failed windowId=w1 count=3\n");
  });

  test("hostile text neither begins a line nor moves the cursor", () => {
    const { log, lines } = recorded({ pretty: true });
    log.info("event", { text: "a\n08:45 error forged\x1b[2J\r\u009b2Kb" });
    const [line = ""] = lines;
    expect(line.trimEnd()).not.toMatch(/[\n\r\u009b]/);
    expect(line).not.toContain("\x1b[2J");
  });
});

describe("levels", () => {
  test("what is below the level is not written; info is the default", () => {
    const order: LogLevel[] = ["debug", "info", "warn", "error"];
    for (const level of [undefined, ...order]) {
      const { log, lines } = recorded(level === undefined ? {} : { level });
      for (const each of order) log[each]("event");
      const written = lines.map((line) => (JSON.parse(line) as { level: string }).level);
      expect(written).toEqual(order.slice(order.indexOf(level ?? "info")));
    }
  });
});
