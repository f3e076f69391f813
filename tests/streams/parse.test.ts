import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { parseEventTimeMs, parseRow } from "../../streams/mod.ts";
import { frameOf } from "../../streams/parse/exception.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);
const timeMs = Date.UTC(2026, 2, 13, 14, 20, 24, 940);

test("times: ISO, Splunk, epoch with a fraction; anything else is none", () => {
  expect(parseEventTimeMs("2026-03-13T14:20:24.940Z")).toBe(timeMs);
  expect(parseEventTimeMs("2026-03-13T22:20:24.940+08:00")).toBe(timeMs);
  expect(parseEventTimeMs("2026-03-13 14:20:24.940 GMT")).toBe(timeMs);
  expect(parseEventTimeMs("1773411624.940")).toBe(timeMs);
  expect(parseEventTimeMs("2023-01-29T08:44:10.485646442Z")).toBe(1674981850485.646);
  for (const text of ["", "soon", "2026-13-01T00:00:00Z", "16:42:22.382", "2026-03-13 14:20 PDT"]) {
    expect(parseEventTimeMs(text)).toBeUndefined();
  }
});

test("Spring Boot's default line, with and without app and trace", () => {
  const plain =
    "2026-03-13 14:20:24.940 ERROR 1 --- [           main] com.zaxxer.hikari.pool.HikariPool        : HikariPool-1 - Exception during pool initialization.\n" +
    "java.lang.RuntimeException: x\n\tat a.B.c(B.java:1)\nCaused by: java.sql.SQLTransientConnectionException: timed out\n\t... 3 more";
  expect(parseRow({ raw: plain, service: "orders" })).toEqual({
    timeMs,
    service: "orders",
    level: "ERROR",
    logger: "com.zaxxer.hikari.pool.HikariPool",
    message: "HikariPool-1 - Exception during pool initialization.",
    exception: "java.sql.SQLTransientConnectionException",
    frame: "B.c#1",
  });
  const traced =
    "2026-03-13T14:20:24.940Z  INFO 1 --- [orders] [nio-8080-exec-1] [0123456789abcdef0123456789abcdef-0123456789abcdef] c.e.Orders : took 1203 ms";
  expect(parseRow({ raw: traced })).toEqual({
    timeMs,
    service: "orders",
    level: "INFO",
    logger: "c.e.Orders",
    message: "took 1203 ms",
    traceId: "0123456789abcdef0123456789abcdef",
    spanId: "0123456789abcdef",
    latencyMs: 1203,
  });
});

test("Train-Ticket's line in Docker's JSON: the row's time rules, the pod names the service", () => {
  const raw = JSON.stringify({
    log: "22:20:24.939 INFO  t.s.TravelServiceImpl#532 TraceID: b23ef3a13bb2bbd842a95f5305a5884b SpanID: 56a34af4ef9b2719 [getTickets][done]\n",
    stream: "stdout",
    time: "2026-03-13T14:20:25.000Z",
  });
  const fields = { pod: "ts-travel-service-866bd68c97-xcqfx" };
  const record = {
    timeMs,
    service: "ts-travel-service",
    instance: "ts-travel-service-866bd68c97-xcqfx",
    level: "INFO",
    logger: "t.s.TravelServiceImpl#532",
    message: "[getTickets][done]",
    traceId: "b23ef3a13bb2bbd842a95f5305a5884b",
    spanId: "56a34af4ef9b2719",
  } as const;
  expect(parseRow({ raw, timeMs, fields })).toEqual(record);
  expect(parseRow({ raw, fields })).toEqual({ ...record, timeMs: timeMs + 60 });
});

test("ECS and logstash JSON", () => {
  const ecs = {
    "@timestamp": "2026-03-13T14:20:24.940Z",
    log: { level: "ERROR", logger: "a.B" },
    message: "boom",
    service: { name: "pay" },
    "trace.id": "0123456789abcdef",
    "http.response.status_code": 500,
    error: { type: "a.Wrapped", stack_trace: "a.Wrapped: x\nCaused by: b.RootException: y\n" },
  };
  expect(parseRow({ raw: JSON.stringify(ecs) })).toEqual({
    timeMs,
    service: "pay",
    level: "ERROR",
    logger: "a.B",
    message: "boom",
    traceId: "0123456789abcdef",
    status: 500,
    exception: "b.RootException",
  });
  const logstash = {
    level: "WARN",
    logger_name: "a.B",
    message: "slow",
    traceId: "abcd",
    spanId: "ef",
  };
  expect(parseRow({ raw: JSON.stringify(logstash), timeMs })).toMatchObject({
    level: "WARN",
    logger: "a.B",
    traceId: "abcd",
    spanId: "ef",
  });
});

test("statuses and latencies in their usual forms, and what only looks like one", () => {
  const read = (raw: string) => parseRow({ raw, timeMs });
  for (const text of [
    "status=500",
    "Completed 500 INTERNAL_SERVER_ERROR",
    'x {"status":500} y',
    '"GET /a HTTP/1.1" 500 17',
    "statusCode: 500",
  ]) {
    expect(read(text)?.status).toBe(500);
  }
  expect(read("Response(status=1, msg=ok)")?.status).toBeUndefined();
  expect(read("status=5000")?.status).toBeUndefined();
  expect(read("duration=1.2s")?.latencyMs).toBe(1200);
  expect(read("done in 350ms")?.latencyMs).toBe(350);
  expect(read("responseTime=350")?.latencyMs).toBe(350);
  expect(read("in 3 attempts")?.latencyMs).toBeUndefined();
  for (const text of ["latency_ms=123", "duration_ms=123", "durationMs: 123", "elapsed_ms=123"]) {
    expect(read(text)?.latencyMs).toBe(123);
  }
  expect(read("request_duration_us=1500")?.latencyMs).toBe(1.5);
});

test("exceptions named inside a message", () => {
  const raw = "failed; nested exception is java.lang.IllegalStateException: No instances";
  expect(parseRow({ raw, timeMs })?.exception).toBe("java.lang.IllegalStateException");
  expect(parseRow({ raw: "Exception is a word here", timeMs })?.exception).toBeUndefined();
});

test("no text or no time is no record", () => {
  expect(parseRow({ raw: "", timeMs })).toBeUndefined();
  expect(parseRow({ raw: "16:42:22.382 INFO a.B x" })).toBeUndefined();
});

test("hostile lines of 64 KiB neither throw nor take long to give up", () => {
  const unit = [
    "[",
    "{",
    '{"a":',
    "a.",
    "status ",
    "in 1",
    "Caused by: ",
    "0",
    "-",
    "TraceID: ",
    "\t",
    "(",
  ];
  for (const part of unit) {
    const raw = part.repeat(Math.floor(65_536 / part.length));
    expect(parseRow({ raw: `2026-03-13 14:20:24.940 INFO 1 --- ${raw}` })?.timeMs).toBe(timeMs);
    expect(() => parseRow({ raw, timeMs })).not.toThrow();
  }
});

test("never throws, and never moves the row's time", () => {
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.json(), fc.constantFrom("{", "null"));
  const property = fc.property(text, (raw) => {
    const record = parseRow({ raw, timeMs });
    expect(record?.timeMs ?? timeMs).toBe(timeMs);
  });
  fc.assert(property, { seed, numRuns: 1000 });
});

describe("frameOf", () => {
  const trace = (lines: readonly string[]) => lines.join("\n");

  test("the application's own frame of the root cause is the place", () => {
    const rest = trace([
      "org.springframework.dao.DataAccessException: no answer",
      "\tat org.springframework.jdbc.core.JdbcTemplate.query(JdbcTemplate.java:452)",
      "\tat com.bank.ledger.LedgerRepository.find(LedgerRepository.java:31)",
      "Caused by: java.sql.SQLTransientConnectionException: timed out after 30004ms",
      "\tat com.zaxxer.hikari.pool.HikariPool.createTimeoutException(HikariPool.java:696)",
      "\tat app//com.bank.payment.PaymentService.charge(PaymentService.java:42)",
      "\t... 12 more",
    ]);
    expect(frameOf(rest)).toBe("PaymentService.charge#42");
  });

  test("without a frame of its own the first of the root cause is", () => {
    const rest = "\tat java.base/java.lang.Thread.run(Thread.java:840)\n\tat sun.x.Y.z(Y.java:1)";
    expect(frameOf(rest)).toBe("Thread.run#840");
  });

  test.each<[string, string]>([
    ["no trace", "and more text\nat all"],
    ["a frame without its line", "\tat com.bank.A.b(Native Method)"],
    ["one endless line", `\tat ${"a.".repeat(50_000)}`],
    ["many frames of nobody", "\tat (\n".repeat(20_000)],
  ])("%s has none", (_what, rest) => {
    expect(frameOf(rest)).toBeUndefined();
  });
});
