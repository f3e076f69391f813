/** Notices for tests: the seed scenario's, and any that the schema allows, hostile ones above all. */
import * as fc from "fast-check";
import { INCIDENT_KINDS, NOTICE_TYPE, Notice, SEVERITIES, TOLD_CHANGES } from "../../alarms/mod.ts";

export const INCIDENT = "01a200a5-9201-7126-8e4c-357d1f48f101";

/** The pool of the payment service is exhausted, told in full. */
export function notice(differs: Partial<Notice> = {}): Notice {
  return Notice.parse({
    type: NOTICE_TYPE,
    id: `${INCIDENT}.1`,
    incident: INCIDENT,
    change: "opened",
    kind: "fault",
    severity: "critical",
    title: "payment-service: database connection pool exhausted",
    text:
      "payment-service answers HTTP 500 because HikariPool-1 has no free connection [e1] [e2]. " +
      "Requests wait until they time out [e4].\n" +
      "order-service and api-gateway fail with it.",
    by: "gpt-5-mini",
    struck: 1,
    remarks: ["Out of budget after 2 calls: the blast radius is the statistics' own."],
    service: "payment-service",
    mechanism: "database connection pool exhausted",
    location: "HikariPool-1",
    confidence: 0.95,
    affected: ["order-service", "api-gateway"],
    evidence: [
      {
        id: "e1",
        source: "logs",
        service: "payment-service",
        summary:
          '150 times ERROR "HikariPool-<NUM> - Connection is not available, request timed out after <NUM>ms." where 0 were expected.',
        link: "https://splunk.example/en-US/app/search/search?q=search%20index%3Dpayments&earliest=1773411600&latest=1773411900",
      },
      {
        id: "e2",
        source: "metrics",
        service: "payment-service",
        summary: "94 connection timeouts, normally 0.",
        link: "https://prometheus.example/graph?g0.expr=hikaricp_connections_timeout_total",
      },
      {
        id: "e4",
        source: "metrics",
        service: "payment-service",
        summary: "Mean latency 1,200 ms (rule: at most 1,000 ms).",
      },
    ],
    next: [
      "Look for slow or blocked statements in the database payment-service uses.",
      "Compare the pool's maximum with the number of request threads.",
    ],
    seenBefore: [
      {
        incident: "01a1f3c2-0000-7000-8000-000000000001",
        at: "2026-01-02T09:10:00.000Z",
        cause: "payment-service: database connection pool exhausted",
        isConfirmed: true,
        similarity: 0.92,
      },
    ],
    window: { start: "2026-03-13T14:20:00.000Z", end: "2026-03-13T14:25:00.000Z" },
    openedAt: "2026-03-13T14:25:21.000Z",
    at: "2026-03-13T14:25:21.000Z",
    windows: 1,
    links: [{ title: "Spring Boot overview", url: "https://grafana.example/d/spring-boot" }],
    appendix: [
      {
        tool: "splunk_search",
        arguments: '{"query":"index=payments HikariPool"}',
        outcome: "ok",
        note: "150 events",
        tookMs: 412,
      },
    ],
    cost: { calls: 2, toolCalls: 1, promptTokens: 3_120, completionTokens: 410, usd: 0.0123 },
    ...differs,
  });
}

const ATTACKS = [
  "<!channel> <!here> <@U024BE7LH> <!subteam^S1|x> <https://evil.example|click>",
  "@here @channel @everyone &lt;!channel&gt; &amp;",
  "\r\nBcc: everybody@evil.example\r\n\r\nbody\r\n.\r\nMAIL FROM:<x@evil.example>",
  "\u001b[31mred\u001b]0;title\u0007 \u009b2J \u202Eesrever \u0000",
  "[click](https://evil.example) <at>everyone</at> **bold** `code` {{DATE(2026,SHORT)}}",
  '<script>alert(1)</script>"><img src=x onerror=alert(1)> \' " \\',
  "=?UTF-8?Q?spoofed?= \ud800 lone",
  "日本語の説明 ".repeat(20),
  "&".repeat(400),
  "😀".repeat(300),
];

/** Text of at most `charsMax` UTF-16 units: attacks, anything at all, and long runs. */
function text(charsMax: number): fc.Arbitrary<string> {
  const any = fc.string({ unit: "binary", maxLength: Math.min(charsMax, 300) });
  const attack = fc.constantFrom(...ATTACKS);
  const long = fc
    .constantFrom("&", "<", "é", "字", '"', "a b ", "\n.")
    .map((one) => one.repeat(Math.ceil(charsMax / one.length)));
  return fc
    .oneof({ weight: 3, arbitrary: attack }, any, { weight: 2, arbitrary: long })
    .map((one) => one.slice(0, charsMax));
}

const token = fc.stringMatching(/^[A-Za-z0-9._-]{1,60}$/);
const instant = fc
  .integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 })
  .map((ms) => new Date(ms).toISOString());
const address = fc.oneof(
  fc.webUrl({ withQueryParameters: true }),
  fc.constantFrom(
    "javascript:alert(1)",
    "https://x.example/|<!channel>",
    `https://x.example/?q=${"字".repeat(600)}`,
    'https://user:pass@x.example/"><b>',
    "not an address",
  ),
);
const count = fc.nat({ max: 100_000 });
const share = fc.double({ min: 0, max: 1, noNaN: true });
const list = <T>(one: fc.Arbitrary<T>, max: number) =>
  fc.array(one, { maxLength: max, size: "max" });

/** Any notice the schema allows. */
export const anyNotice: fc.Arbitrary<Notice> = fc
  .record({
    type: fc.constant(NOTICE_TYPE),
    id: token,
    incident: token,
    change: fc.constantFrom(...TOLD_CHANGES),
    kind: fc.constantFrom(...INCIDENT_KINDS),
    severity: fc.constantFrom(...SEVERITIES),
    title: text(300),
    text: text(4_000),
    by: text(200),
    struck: count,
    remarks: list(text(500), 10),
    service: text(200),
    mechanism: text(200),
    location: text(500),
    confidence: share,
    affected: list(text(200), 50),
    evidence: list(
      fc.record({
        id: fc.nat({ max: 99 }).map((n) => `e${n}`),
        source: fc.constantFrom("logs" as const, "metrics" as const),
        service: text(200),
        summary: text(1_000),
        link: address,
      }),
      20,
    ),
    next: list(text(500), 10),
    seenBefore: list(
      fc.record({
        incident: token,
        at: instant,
        cause: text(500),
        isConfirmed: fc.boolean(),
        similarity: share,
      }),
      5,
    ),
    window: fc.record({ start: instant, end: instant }),
    openedAt: instant,
    at: instant,
    windows: count,
    links: list(fc.record({ title: text(300), url: address }), 20),
    appendix: list(
      fc.record({
        tool: text(200),
        arguments: text(1_000),
        outcome: fc.constantFrom("ok" as const, "error" as const, "refused" as const),
        note: text(500),
        tookMs: count,
      }),
      50,
    ),
    cost: fc.record({
      calls: count,
      toolCalls: count,
      promptTokens: count,
      completionTokens: count,
      usd: share,
    }),
  })
  .map((one) => Notice.parse(one));

export const seed = Number(process.env.PETREL_TEST_SEED);
