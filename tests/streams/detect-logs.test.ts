import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { sameStatement } from "../../streams/detect/align.ts";
import { detectLogs } from "../../streams/detect/logs.ts";
import { mentionsIn, symptomOf } from "../../streams/detect/symptoms.ts";
import { isAnomalous } from "../../streams/detect/verdict.ts";
import { Finding } from "../../streams/findings.ts";
import { SEED, SummaryBuilder, WINDOW } from "./detect-fixtures.ts";

/** Requests through one service: each statement of `way` in turn, a span per trace, `gapMs` apart. */
function requests(
  builder: SummaryBuilder,
  service: string,
  way: readonly string[],
  times: number,
  gapMs = 2,
): SummaryBuilder {
  for (let at = 0; at < times; at++) {
    const startMs = WINDOW.startMs + 20_000 + at * 1_000;
    for (const [step, place] of way.entries()) {
      builder.line(service, `line of ${place}`, {
        logger: `x.${place.replace("!", "")}`,
        level: place.endsWith("!") ? "ERROR" : "INFO",
        traceId: `${service}-${way.join()}-${at}`,
        timeMs: startMs + step * gapMs,
      });
    }
  }
  // Two far lines mark the extent of the logs, so that no trace above counts as cut.
  builder.line("edge", "first", { traceId: "first", timeMs: WINDOW.startMs });
  return builder.line("edge", "last", { traceId: "last", timeMs: WINDOW.endMs - 1 });
}

const healthy = () => {
  const builder = new SummaryBuilder();
  for (const service of ["a", "b", "c", "d", "e", "f"]) {
    builder.line(service, "request came", {}, 100).line(service, "request done", {}, 100);
  }
  return builder;
};

describe("templates", () => {
  test("a new error line is found, with its text redacted and its exception", () => {
    const current = healthy()
      .line("a", "card 4111 refused", { level: "ERROR", exception: "CardException" }, 40)
      .build();
    const redact = (text: string) => text.replace("4111", "<CARD>");
    const { findings } = detectLogs(current, healthy().build(), {}, { redact });
    const found = findings.find((finding) => finding.kind === "template_new");
    expect(found).toMatchObject({
      service: "a",
      direction: "new",
      exception: "CardException",
      anomalous: true,
    });
    expect(found?.exemplars).toEqual(["card <CARD> refused"]);
    expect(JSON.stringify(findings)).not.toContain("4111");
  });

  test("three times the traffic is no news", () => {
    const busy = new SummaryBuilder();
    for (const service of ["a", "b", "c", "d", "e", "f"]) {
      busy.line(service, "request came", {}, 310).line(service, "request done", {}, 295);
    }
    expect(detectLogs(busy.build(), healthy().build()).findings).toEqual([]);
  });

  test("errors that have stopped are no fault", () => {
    const before = healthy().line("a", "no luck", { level: "ERROR" }, 50).build();
    expect(isAnomalous(detectLogs(healthy().build(), before).findings)).toBe(false);
  });

  test("a template that was mined more finely in one window is the same statement", () => {
    const words = (text: string) => text.split(" ");
    expect(sameStatement(words("paid <NUM> by card"), words("paid <NUM> by <*>"))).toBe(true);
    expect(sameStatement(words("paid <NUM> by card"), words("paid <NUM> by cash"))).toBe(false);
    expect(sameStatement(words("<*> <*> <*> a"), words("b c d a"))).toBe(false);
    const before = healthy().line("a", "order of user <*> stored", {}, 60).build();
    const after = healthy().line("a", "order of user admin stored", {}, 60).build();
    expect(detectLogs(after, before).findings).toEqual([]);
  });
});

describe("ways through the code", () => {
  const usual = ["Pay#1", "Pay#2", "Pay#3"];

  test("another branch is found and located", () => {
    const before = requests(new SummaryBuilder(), "pay", usual, 30).build();
    const after = requests(new SummaryBuilder(), "pay", ["Pay#1", "Pay#9!"], 30).build();
    const { findings } = detectLogs(after, before);
    const found = findings.find((finding) => finding.kind === "path_change");
    expect(found).toMatchObject({
      service: "pay",
      anomalous: true,
      resource: "errors",
      direction: "new",
    });
    // The place to look at lies between the last usual line and the one that should have followed.
    expect(found?.codeLocation).toBe("Pay#1 -> Pay#2");
    expect(found?.summary).toContain("Pay#2 is missing");
  });

  test("the normal way is no news when the baseline was full of errors", () => {
    const before = requests(new SummaryBuilder(), "pay", ["Pay#1", "Pay#9!"], 30).build();
    const after = requests(new SummaryBuilder(), "pay", usual, 30).build();
    const ways = detectLogs(after, before).findings.filter((one) => one.kind === "path_change");
    expect(ways.filter((one) => one.anomalous)).toEqual([]);
  });

  test("too few traces to tell give nothing", () => {
    const before = requests(new SummaryBuilder(), "pay", usual, 2).build();
    const after = requests(new SummaryBuilder(), "pay", ["Pay#1", "Pay#9"], 2).build();
    expect(isAnomalous(detectLogs(after, before).findings)).toBe(false);
  });
});

describe("delays", () => {
  /** front calls each of the backs in turn; `slow` answers a second late. */
  const calls = (slow?: string) => {
    const builder = new SummaryBuilder();
    for (let at = 0; at < 20; at++) {
      let timeMs = WINDOW.startMs + 20_000 + at * 5_000;
      for (const back of ["b1", "b2", "b3", "b4", "b5", "b6"]) {
        const traceId = `t${at}`;
        builder.line("front", "calls", { traceId, timeMs });
        timeMs += 5 + (at % 3) + (back === slow ? 1_000 : 0);
        builder.line(back, "answers", { traceId, timeMs });
        timeMs += 4 + (at % 2) + (back === slow ? 1_000 : 0);
      }
    }
    return builder.build();
  };

  test("the slow end of an edge is told from its caller, which has fast edges too", () => {
    const found = detectLogs(calls("b4"), calls()).findings.filter(
      (one) => one.kind === "edge_delay",
    );
    expect(found[0]).toMatchObject({ service: "b4", peer: "front", anomalous: true, unit: "ms" });
    expect(found.map((finding) => finding.service)).not.toContain("front");
  });

  test("the same gaps give nothing", () => {
    expect(detectLogs(calls(), calls()).findings).toEqual([]);
  });

  test.each([10, 1_023, 1_024, 5_000])(
    "an edge of %d gaps is judged however busy it is",
    (count) => {
      const busy = (gapMs: number) => {
        const paths = {
          statements: new Map(),
          transitions: new Map(),
          entries: new Map(),
          calls: new Map(),
          lines: 1,
          traces: count,
          overflow: 0,
          edges: new Map([
            ["a>b", { from: "a", to: "b", count, medianMs: gapMs, p90Ms: 2 * gapMs }],
          ]),
        };
        return { ...new SummaryBuilder().line("a", "x").line("b", "y").build(), paths };
      };
      const found = detectLogs(busy(2_000), busy(5)).findings;
      expect(found.find(({ kind }) => kind === "edge_delay")).toMatchObject({ anomalous: true });
    },
  );
});

describe("thresholds and missing baselines", () => {
  const failing = () =>
    new SummaryBuilder()
      .line("pay", "POST /pay", { status: 500, level: "ERROR", latencyMs: 1_500 }, 150)
      .line(
        "pay",
        "HikariPool-1 - Connection is not available, request timed out",
        { level: "ERROR" },
        9,
      )
      .line("pay", "one odd thing", { level: "ERROR" }, 1)
      .build();

  test("without a baseline thresholds and error lines are judged, and a note says so", () => {
    const { findings, notes } = detectLogs(failing(), undefined);
    const rules = findings.flatMap((finding) => finding.rule ?? []);
    expect(rules.toSorted()).toEqual([
      "http500CountMax",
      "http500PerMinuteMax",
      "latencyMeanMsMax",
    ]);
    const pool = findings.find((finding) => finding.resource === "connection_pool");
    expect(pool?.anomalous).toBe(true);
    expect(findings.find((finding) => finding.template === "one odd thing")?.anomalous).toBe(false);
    expect(notes.join()).toContain("No baseline");
  });

  test("a threshold of a service's own decides", () => {
    const rules = {
      services: {
        pay: { http500CountMax: 200, http500PerMinuteMax: 200, latencyMeanMsMax: 9_999 },
      },
    };
    expect(
      detectLogs(failing(), undefined, rules).findings.filter((one) => one.kind === "rule"),
    ).toEqual([]);
  });

  test("an empty window against itself is quiet", () => {
    const empty = new SummaryBuilder().build();
    expect(detectLogs(empty, empty).findings).toEqual([]);
    expect(detectLogs(empty, healthy().build()).findings.every((one) => !one.anomalous)).toBe(true);
  });
});

describe("what texts say", () => {
  test("resources and accusations", () => {
    expect(symptomOf("java.lang.OutOfMemoryError: Java heap space")?.resource).toBe("jvm_memory");
    expect(symptomOf("SQLTransientConnectionException: x")?.resource).toBe("connection_pool");
    expect(symptomOf("No instances available for ts-basic-service")?.accusesOther).toBe(true);
    expect(symptomOf("all is well")).toBeUndefined();
  });

  test("services named by grammar or by being known, never the writer itself", () => {
    const known = new Set(["ledger", "pay"]);
    expect(mentionsIn("No instances available for ts-basic-service", known, "pay")).toEqual([
      "ts-basic-service",
    ]);
    expect(mentionsIn("pay: calling ledger failed", known, "pay")).toEqual(["ledger"]);
    expect(mentionsIn("nothing here", known, "pay")).toEqual([]);
  });

  test("hostile text is read in linear time and within the bound", () => {
    const hostile = `${"CircuitBreaker ".repeat(5_000)}${"http://a-b ".repeat(5_000)}`;
    expect(symptomOf(hostile)).toBeUndefined();
    const many = Array.from({ length: 100 }, (_, at) => `http://svc-${at}/`).join(" ");
    expect(mentionsIn(many, new Set(), "pay").length).toBe(20);
  });
});

describe("invariants", () => {
  const line = fc.record({
    service: fc.constantFrom("a", "b", "c"),
    text: fc.constantFrom("one", "two", "three <*>", "Connection refused: b"),
    level: fc.constantFrom("INFO" as const, "WARN" as const, "ERROR" as const),
    times: fc.integer({ min: 1, max: 400 }),
  });
  const build = (
    lines: readonly {
      service: string;
      text: string;
      level: "INFO" | "WARN" | "ERROR";
      times: number;
    }[],
    rename = (name: string) => name,
  ) => {
    const builder = new SummaryBuilder();
    for (const one of lines)
      builder.line(rename(one.service), one.text, { level: one.level }, one.times);
    return builder.build();
  };

  test("findings keep to the schema, the bound and the order", () => {
    const property = fc.property(fc.array(line), fc.array(line), (now, before) => {
      const { findings } = detectLogs(build(now), build(before), {}, { findingsMax: 4 });
      expect(findings.length).toBeLessThanOrEqual(4);
      findings.forEach((finding, at) => {
        Finding.parse(finding);
        expect(finding.id).toBe(`logs-${at + 1}`);
      });
    });
    fc.assert(property, { seed: SEED });
  });

  test("a window against itself is quiet", () => {
    const quietLines = fc.array(
      line.map((one) => ({ ...one, times: Math.min(one.times, 15) })),
      { maxLength: 10 },
    );
    const property = fc.property(quietLines, (lines) => {
      const baseline = build(lines);
      const anomalies = detectLogs(build(lines), baseline).findings.filter((one) => one.anomalous);
      expect(anomalies).toEqual([]);
    });
    fc.assert(property, { seed: SEED });
  });

  test("names of services do not matter", () => {
    const property = fc.property(fc.array(line), fc.array(line), (now, before) => {
      const rename = (name: string) => `renamed-${name}`;
      const scores = (reading: ReturnType<typeof detectLogs>) =>
        reading.findings.map((finding) => finding.score.toFixed(6)).toSorted();
      const plain = detectLogs(build(now), build(before));
      expect(scores(detectLogs(build(now, rename), build(before, rename)))).toEqual(scores(plain));
    });
    fc.assert(property, { seed: SEED });
  });
});
