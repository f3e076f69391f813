import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { detectLogs } from "../../streams/detect/logs.ts";
import { detectMetrics } from "../../streams/detect/metrics.ts";
import { Finding } from "../../streams/findings.ts";
import { rankCauses } from "../../streams/rank/causes.ts";
import { confidenceOf } from "../../streams/rank/confidence.ts";
import { knownCalls } from "../../streams/rank/graph.ts";
import { reportOf, SEED, SummaryBuilder, series, steady, WINDOW } from "./detect-fixtures.ts";

const finding = (part: Partial<Finding> & Pick<Finding, "id" | "service">): Finding => ({
  kind: "metric_deviation",
  summary: "Something moved.",
  score: 8,
  anomalous: true,
  direction: "up",
  ...part,
});

/** 150 answers of HTTP 500 in five minutes, an exhausted pool, slow, and short of memory. */
function paymentScenario() {
  const healthy = new SummaryBuilder()
    .line("payment-service", "POST /pay done", { status: 200, latencyMs: 80 }, 900)
    .line("order-service", "order placed", { status: 200, latencyMs: 120 }, 700)
    .build();
  const message =
    "HikariPool-1 - Connection is not available, request timed out after 30004ms (total=10, active=10, idle=0, waiting=128)";
  const broken = new SummaryBuilder()
    .line("payment-service", "POST /pay done", { status: 200, latencyMs: 1_200 }, 700)
    .line(
      "payment-service",
      "POST /pay failed",
      { level: "ERROR", status: 500, latencyMs: 1_200 },
      150,
    )
    .line(
      "payment-service",
      message,
      { level: "ERROR", exception: "java.sql.SQLTransientConnectionException" },
      140,
    )
    .line("order-service", "order placed", { status: 200, latencyMs: 130 }, 690)
    .build();
  const metrics = [
    series("payment-service", "http_500_count", steady(0), [150], "answers"),
    series("payment-service", "http_500_rate", steady(0), [12], "/min"),
    series("payment-service", "http_latency_mean", steady(80), [1_200], "ms"),
    series("payment-service", "jvm_memory", steady(60), [95]),
    series("payment-service", "hikari_pending", steady(0), [128], "threads"),
    series("order-service", "jvm_memory", steady(50), [51]),
  ];
  const logs = detectLogs(broken, healthy, {});
  return rankCauses([
    reportOf("logs", logs.findings, [
      { caller: "order-service", callee: "payment-service", count: 700 },
    ]),
    reportOf("metrics", detectMetrics(metrics, WINDOW, {}).findings),
  ]);
}

describe("rankCauses", () => {
  test("names the payment service's connection pool with high confidence", () => {
    const [cause] = paymentScenario().causes;
    expect(cause?.service).toBe("payment-service");
    expect(cause?.mechanism).toBe("database connection pool exhausted");
    expect(cause?.resource).toBe("connection_pool");
    expect(cause?.confidence).toBeGreaterThan(0.9);
    expect(cause?.next.length).toBeGreaterThan(0);
  });

  test("numbers evidence, what the first cause tells before all other, and cites only what exists", () => {
    const { causes, evidence } = paymentScenario();
    expect(evidence.map((one) => one.id)).toEqual(evidence.map((_, at) => `e${at + 1}`));
    const told = causes[0]?.evidence ?? [];
    expect(told).toEqual(told.map((_, at) => `e${at + 1}`));
    const ids = new Set(evidence.map((one) => one.id));
    for (const cause of causes) {
      for (const id of [...cause.evidence, ...cause.against]) expect(ids.has(id)).toBe(true);
    }
  });

  test("a quiet window has no cause, unless ranking is asked for anyway", () => {
    const quiet = [reportOf("logs", [finding({ id: "logs-1", service: "a", anomalous: false })])];
    expect(rankCauses(quiet).causes).toEqual([]);
    expect(rankCauses(quiet, { always: true }).causes[0]?.service).toBe("a");
    expect(rankCauses([]).causes).toEqual([]);
  });

  test("of two equally slow services the callee is blamed, the caller is affected", () => {
    const slow = (id: string, service: string) =>
      finding({ id, service, kind: "latency", resource: "latency" });
    const calls = [{ caller: "front", callee: "back", count: 50 }];
    const { causes } = rankCauses([
      reportOf("logs", [slow("logs-1", "front"), slow("logs-2", "back")], calls),
    ]);
    expect(causes[0]?.service).toBe("back");
    expect(causes[0]?.affected).toContain("front");
  });

  test("a caller with a scarce resource of its own is not excused by a slow callee", () => {
    const report = reportOf(
      "metrics",
      [
        finding({ id: "metrics-1", service: "front", resource: "cpu", metric: "cpu", score: 12 }),
        finding({ id: "metrics-2", service: "back", kind: "latency", resource: "latency" }),
      ],
      [{ caller: "front", callee: "back", count: 50 }],
    );
    expect(rankCauses([report]).causes[0]?.service).toBe("front");
  });

  test("a callee whose scarce resource names itself explains its caller's changed path", () => {
    const changed = finding({ id: "logs-1", service: "front", kind: "path_change", score: 14 });
    const [text] = [{ template: "HikariPool-1 - Connection is not available" }];
    const behind = (resource: "connection_pool" | "latency") =>
      finding({ id: "logs-2", service: "back", kind: "template_new", resource, ...text });
    const calls = [{ caller: "front", callee: "back", count: 50 }];
    const firstOf = (resource: "connection_pool" | "latency") =>
      rankCauses([reportOf("logs", [changed, behind(resource)], calls)]).causes[0];
    expect(firstOf("connection_pool")?.service).toBe("back");
    expect(firstOf("connection_pool")?.affected).toEqual(["front"]);
    expect(firstOf("latency")?.service).toBe("front");
  });

  test("of two mechanisms the scarce resource is told, not what follows from it", () => {
    const cpu = finding({
      id: "metrics-1",
      service: "a",
      resource: "cpu",
      metric: "cpu",
      score: 9,
    });
    const delay = finding({
      id: "logs-1",
      service: "a",
      kind: "edge_delay",
      resource: "network",
      peer: "b",
      score: 10,
    });
    const [cause] = rankCauses([reportOf("metrics", [cpu]), reportOf("logs", [delay])]).causes;
    expect(cause?.mechanism).toBe("cpu contention");
  });

  test("a rival without anomalous evidence is half a rival", () => {
    const cpu = (id: string, service: string, anomalous: boolean) =>
      finding({ id, service, resource: "cpu", metric: "cpu", anomalous });
    const confidence = (anomalous: boolean) =>
      rankCauses([
        reportOf("metrics", [cpu("metrics-1", "a", true), cpu("metrics-2", "b", anomalous)]),
      ]).causes[0]?.confidence ?? 0;
    expect(confidence(false)).toBeGreaterThan(0.8);
    expect(confidence(true)).toBeLessThan(0.5);
  });

  test("an error text that accuses another service moves the blame there", () => {
    const report = reportOf("logs", [
      finding({
        id: "logs-1",
        service: "front",
        kind: "template_new",
        resource: "network",
        template: "No instances available for back-service",
        mentions: ["back-service"],
        direction: "new",
      }),
    ]);
    const [first, second] = rankCauses([report]).causes;
    expect(first?.service).toBe("back-service");
    expect(second?.service).toBe("front");
  });

  test("confidence falls when a rival is near", () => {
    const cpu = (id: string, service: string, score: number) =>
      finding({ id, service, resource: "cpu", metric: "cpu", score });
    const alone = rankCauses([
      reportOf("metrics", [cpu("metrics-1", "a", 12), cpu("metrics-2", "b", 2)]),
    ]);
    const close = rankCauses([
      reportOf("metrics", [cpu("metrics-1", "a", 12), cpu("metrics-2", "b", 11)]),
    ]);
    expect(alone.causes[0]?.confidence).toBeGreaterThan(0.9);
    expect(close.causes[0]?.confidence).toBeLessThan(0.6);
  });

  test("confidence rises with the suspicion, falls with each rival, and all together stay below 1", () => {
    const score = fc.double({ min: 0.1, max: 500, noNaN: true });
    const property = fc.property(score, fc.array(score, { maxLength: 20 }), (own, rivals) => {
      const scores = [own, ...rivals];
      const confidence = confidenceOf(own, scores);
      expect(confidenceOf(own * 1.5, [own * 1.5, ...rivals])).toBeGreaterThanOrEqual(confidence);
      expect(confidenceOf(own, [...scores, own])).toBeLessThanOrEqual(confidence);
      const sum = scores.reduce((total, one) => total + confidenceOf(one, scores), 0);
      expect(sum).toBeLessThan(1 + scores.length * 5e-4);
    });
    fc.assert(property, { seed: SEED });
  });

  const services = ["a", "b", "c", "d"] as const;
  const anyFinding = fc.record({
    id: fc.integer({ min: 1, max: 999 }).map((n) => `logs-${n}`),
    service: fc.constantFrom(...services),
    kind: fc.constantFrom(
      "latency",
      "metric_deviation",
      "error_burst",
      "path_change",
      "edge_delay",
    ),
    resource: fc.constantFrom("cpu", "latency", "errors", "connection_pool", "network"),
    summary: fc.constant("x"),
    score: fc.double({ min: 0, max: 1_000, noNaN: true }),
    anomalous: fc.boolean(),
    direction: fc.constant("up"),
  }) as fc.Arbitrary<Finding>;
  const anyCall = fc.record({
    caller: fc.constantFrom(...services),
    callee: fc.constantFrom(...services),
    count: fc.integer({ min: 1, max: 100 }),
  });

  test("answers within its bounds whatever comes, cycles of calls included", () => {
    const property = fc.property(
      fc.array(anyFinding, { maxLength: 40 }),
      fc.array(anyCall),
      (findings, calls) => {
        const { causes, evidence } = rankCauses([reportOf("logs", findings, calls)], {
          evidenceMax: 20,
        });
        expect(causes.length).toBeLessThanOrEqual(5);
        expect(evidence.length).toBeLessThanOrEqual(20);
        for (const [at, cause] of causes.entries()) {
          expect(cause.confidence).toBeGreaterThanOrEqual(0);
          expect(cause.confidence).toBeLessThanOrEqual(1);
          expect(cause.score).toBeLessThanOrEqual(
            causes[at - 1]?.score ?? Number.POSITIVE_INFINITY,
          );
        }
        const sure = causes.reduce((sum, cause) => sum + cause.confidence, 0);
        expect(sure).toBeLessThanOrEqual(1.01);
      },
    );
    fc.assert(property, { seed: SEED });
  });

  test("does not look at names: renaming the services renames the answer", () => {
    const rename = (name: string) => `zz-${services.indexOf(name as "a")}-renamed`;
    const property = fc.property(
      // Distinct scores, as equal ones are told apart by name.
      fc.uniqueArray(anyFinding, { maxLength: 12, selector: (one) => one.score }),
      fc.array(anyCall),
      (findings, calls) => {
        const plain = rankCauses([reportOf("logs", findings, calls)]);
        const renamed = rankCauses([
          reportOf(
            "logs",
            findings.map((one) => ({ ...one, service: rename(one.service) })),
            calls.map(({ caller, callee, count }) => ({
              caller: rename(caller),
              callee: rename(callee),
              count,
            })),
          ),
        ]);
        const scores = (ranking: typeof plain) =>
          ranking.causes.map((cause) => cause.score.toFixed(6));
        expect(scores(renamed)).toEqual(scores(plain));
      },
    );
    fc.assert(property, { seed: SEED });
  });

  test("stronger evidence never makes its service less suspect", () => {
    const property = fc.property(
      fc.array(anyFinding, { minLength: 1, maxLength: 10 }),
      (findings) => {
        const [head, ...tail] = findings;
        if (head === undefined) return;
        const scoreOf = (first: Finding) =>
          rankCauses([reportOf("logs", [first, ...tail])], {
            always: true,
            causesMax: 10,
          }).causes.find((cause) => cause.service === head.service)?.score ?? 0;
        expect(scoreOf({ ...head, score: Math.min(1_000, head.score * 2) })).toBeGreaterThanOrEqual(
          scoreOf(head) - 1e-9,
        );
      },
    );
    fc.assert(property, { seed: SEED });
  });

  test("findings of the detectors keep to the schema", () => {
    for (const { finding: one } of paymentScenario().evidence)
      expect(() => Finding.parse(one)).not.toThrow();
  });
});

describe("knownCalls", () => {
  const call = (caller: string, callee: string, count: number) => ({ caller, callee, count });

  test("requests that metrics count do not make the calls that traces show rare", () => {
    const calls = knownCalls({
      guessed: [call("gateway", "pay", 900), call("gateway", "cart", 500)],
      spoken: [],
      certain: [call("gateway", "orders", 100_000)],
    });
    expect(calls.map(({ callee }) => callee).sort()).toEqual(["cart", "orders", "pay"]);
  });

  test("what metrics and configuration say holds, however rare, and turns round what lines suggest", () => {
    const calls = knownCalls({
      guessed: [call("back", "front", 50), call("front", "cache", 3)],
      spoken: [],
      certain: [call("front", "back", 1)],
    });
    expect(calls.map(({ caller, callee }) => `${caller}>${callee}`)).toEqual([
      "front>back",
      "front>cache",
    ]);
  });
});
