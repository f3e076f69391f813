/** Reports fit, say when they were cut, and stay valid; baselines of several windows add up. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { limits } from "../../core/mod.ts";
import {
  type Finding,
  fitReport,
  mergeSummaries,
  reportOfLogs,
  resolveTemplates,
  SourceReport,
} from "../../streams/mod.ts";
import { summaryOf } from "./report-fixtures.ts";

const seed = Number(process.env.PETREL_TEST_SEED ?? 1);
const WINDOW = { start: "2026-01-29T08:40:00.000Z", end: "2026-01-29T08:45:00.000Z" };

function findingOf(n: number, chars: number): Finding {
  return {
    id: `logs-${n}`,
    kind: "template_new",
    service: `service-${n}`,
    summary: "A new line.",
    score: 5,
    anomalous: true,
    direction: "new",
    template: "x".repeat(Math.min(chars, 2_000)),
    exemplars: ["y".repeat(Math.min(chars, limits.EXEMPLAR_CHARS_MAX))],
  };
}

function reportWith(findings: Finding[], services: number, dependencies: number): SourceReport {
  const report = reportOfLogs({
    window: WINDOW,
    baseline: [],
    current: summaryOf({ services }),
    findings,
    notes: [],
    seconds: 0.5,
  });
  const edges = Array.from({ length: dependencies }, (_, n) => ({
    caller: `caller-${n}`,
    callee: `callee-${n}`,
    count: n,
  }));
  return { ...report, dependencies: edges };
}

describe("fitReport", () => {
  test("whatever was found, the artifact is valid, bounded, and says when it was cut", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 400 }),
        fc.nat({ max: 4_000 }),
        fc.nat({ max: 1_500 }),
        fc.nat({ max: 5_000 }),
        (findings, chars, services, dependencies) => {
          const given = Array.from({ length: findings }, (_, n) => findingOf(n + 1, chars));
          const whole = reportWith(given, services, dependencies);
          const fitted = fitReport(whole);
          expect(Buffer.byteLength(JSON.stringify(fitted))).toBeLessThanOrEqual(
            limits.ARTIFACT_BYTES_MAX,
          );
          expect(SourceReport.safeParse(fitted).error).toBeUndefined();
          const lost =
            fitted.findings.length < whole.findings.length ||
            fitted.services.length < whole.services.length ||
            fitted.dependencies.length < whole.dependencies.length;
          expect(fitted.cut).toBe(lost);
          // The heaviest findings stay, and the verdict of the source with them.
          expect(fitted.findings).toEqual(whole.findings.slice(0, fitted.findings.length));
          expect(fitted.outcome).toBe(whole.outcome);
        },
      ),
      { seed, numRuns: 40 },
    );
  });

  test("a small report passes as it is", () => {
    const report = reportWith([findingOf(1, 50)], 3, 1);
    expect(fitReport(report)).toEqual(report);
  });
});

describe("reportOfLogs", () => {
  test("says what a reader should know: unparsed rows, cut lines, a clock that is off", () => {
    const current = summaryOf({ services: 1, unparsed: 3, cutLines: 2, outsideWindow: 7 });
    const { notes, stats, outcome } = reportOfLogs({
      window: WINDOW,
      baseline: [],
      current,
      findings: [],
      notes: ["own"],
      seconds: 2,
    });
    expect(notes).toEqual([
      "own",
      "3 rows had no format we know",
      "2 lines were longer than the limit and were cut",
      "7 rows had a time outside the window: check the clocks",
    ]);
    expect(stats).toMatchObject({ lines: current.rows, linesPerSecond: current.rows / 2 });
    expect(outcome).toBe("quiet");
  });
});

describe("mergeSummaries", () => {
  test("counts add up, and the exposure is that of all windows", () => {
    const one = summaryOf({ services: 2, unparsed: 1 });
    const merged = mergeSummaries([one, one, one]);
    expect(merged?.rows).toBe(one.rows * 3);
    expect(merged?.unparsed).toBe(3);
    expect((merged?.window.endMs ?? 0) - (merged?.window.startMs ?? 0)).toBe(
      3 * (one.window.endMs - one.window.startMs),
    );
    expect(merged?.services.get("service-1")?.lines).toBe(
      3 * (one.services.get("service-1")?.lines ?? 0),
    );
  });

  test("one summary is itself; none is none; the parts are left as they were", () => {
    const one = summaryOf({ services: 1 });
    const before = structuredClone(one);
    expect(mergeSummaries([one])).toBe(one);
    expect(mergeSummaries([])).toBeUndefined();
    mergeSummaries([one, one]);
    expect(one).toEqual(before);
  });
});

describe("resolveTemplates", () => {
  const statement = (name: string) => ({
    service: "s",
    statement: name,
    error: false,
    traces: 200,
    erredTraces: 0,
  });

  test("templates that were joined since are one; a trace that passed both is not two", () => {
    const one = summaryOf({ services: 1 });
    const sample = {
      service: "s",
      level: "INFO" as const,
      firstMs: 1,
      lastMs: 2,
      exemplars: [],
    };
    const templates = new Map(
      ["old", "other"].map((id) => [id, { ...sample, id, template: `of ${id}`, count: 200 }]),
    );
    const paths = {
      statements: new Map(["old", "other"].map((id) => [`s>${id}`, statement(id)])),
      transitions: new Map(),
      entries: new Map(),
      calls: new Map(),
      edges: new Map(),
      lines: 400,
      traces: 200,
      overflow: 0,
    };
    const joined = { id: "old", text: "of <*>" };
    const resolved = resolveTemplates({ ...one, templates, paths }, (id) =>
      id === "old" || id === "other" ? joined : undefined,
    );
    expect([...resolved.templates.values()]).toMatchObject([
      { id: "old", template: "of <*>", count: 400 },
    ]);
    expect([...(resolved.paths?.statements.values() ?? [])]).toEqual([statement("old")]);
  });

  test("nothing joined is the same summary", () => {
    const one = summaryOf({ services: 2 });
    expect(resolveTemplates(one, () => undefined)).toBe(one);
  });
});
