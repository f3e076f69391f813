/** What log findings leave to others: changes that are sure, but no alarm. */
import { describe, expect, test } from "bun:test";
import { detectLogs } from "../../streams/detect/logs.ts";
import { SummaryBuilder, WINDOW } from "./detect-fixtures.ts";

describe("what alarms nobody by itself", () => {
  const anomalous = (now: SummaryBuilder, before: SummaryBuilder) =>
    detectLogs(now.build(), before.build()).findings.filter((finding) => finding.anomalous);
  /** `traces` requests, each a start, `ways` of them with a turn to the side. */
  const requests = (traces: number, turns: number, level: "INFO" | "ERROR" = "INFO") => {
    const lines = new SummaryBuilder();
    for (let trace = 0; trace < traces; trace++) {
      const at = (step: number) => ({
        traceId: `trace-${trace}`,
        timeMs: WINDOW.startMs + 5_000 + trace * 10 + step,
      });
      lines.line("shop", "begins", { ...at(0), logger: "Shop#1" });
      if (trace < turns) lines.line("shop", "turns", { ...at(1), logger: "Shop#2", level });
      lines.line("shop", "ends", { ...at(2), logger: "Shop#3" });
    }
    return lines;
  };

  test("a small shift between known ways, however many requests make it sure", () => {
    expect(anomalous(requests(20_000, 1_000), requests(20_000, 400))).toEqual([]);
  });

  test("a large shift does, and an error that doubles", () => {
    expect(anomalous(requests(500, 400), requests(500, 100)).length).toBeGreaterThan(0);
    const errors = anomalous(requests(2_000, 200, "ERROR"), requests(2_000, 40, "ERROR"));
    expect(errors.map(({ kind }) => kind)).toContain("path_change");
  });

  test("warnings of a loop count by the requests that made them, not by the lines", () => {
    const loops = (traces: number) => {
      const lines = new SummaryBuilder();
      for (let line = 0; line < traces * 40; line++) {
        const traceId = `trace-${line % traces}`;
        lines.line("shop", "nothing left", { level: "WARN", logger: "Shop#9", traceId });
      }
      return lines.line("shop", "steady", {}, 1_000);
    };
    expect(anomalous(loops(5), loops(1))).toEqual([]);
    expect(anomalous(loops(200), loops(20)).length).toBeGreaterThan(0);
  });

  test("a batch job that has ended; a service that stopped in its stride does", () => {
    const [{ startMs, endMs }, shop] = [WINDOW, "shop"];
    const before = (jobEndsMs: number) => {
      const lines = new SummaryBuilder().line(shop, "sold", { timeMs: startMs }, 500);
      const built = lines.line("job", "booked", { timeMs: startMs }, 500).build();
      for (const template of built.templates.values()) {
        template.lastMs = template.service === "job" ? jobEndsMs : endMs;
      }
      return { ...built, firstMs: startMs, lastMs: endMs };
    };
    const now = new SummaryBuilder().line(shop, "sold", {}, 500).build();
    const silent = (jobEndsMs: number) =>
      detectLogs(now, before(jobEndsMs)).findings.filter((finding) => finding.anomalous);
    expect(silent(startMs + 120_000)).toEqual([]);
    expect(silent(endMs - 1_000).map(({ service, resource }) => [service, resource])).toEqual([
      ["job", "traffic"],
    ]);
  });
});
