import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { SourceResult } from "../../agents/mod.ts";
import { type AnsweredSource, conclude } from "../../agents/sre/conclude.ts";
import { type InvestigationRecord, Verdict } from "../../agents/sre/records.ts";
import { PetrelError } from "../../core/mod.ts";
import type { SourceReport } from "../../streams/mod.ts";
import { finding, report, windowAt } from "./verdict-fixtures.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const AT = "2026-01-29T08:51:00.000Z";
const RECORD: InvestigationRecord = {
  id: "w-1",
  window: windowAt(),
  baseline: [],
  sources: [
    { agent: "splunk", messageId: "m-1" },
    { agent: "metrics", messageId: "m-2" },
  ],
  timeoutMs: 1_000,
  state: "open",
  owner: "o-1",
  owners: 1,
  traceparent: "",
  openedAt: AT,
};

const reply = { messageId: "m", taskId: "t" };
const answered = (agent: string, sent: SourceReport): AnsweredSource => ({
  agent,
  answer: { kind: "reply", reply: { status: "answered", ...reply, report: sent } },
  tookMs: 5,
});
const saidFailed = (agent: string, reason = "away"): AnsweredSource => ({
  agent,
  answer: { kind: "reply", reply: { status: "failed", ...reply, code: "UNAVAILABLE", reason } },
  tookMs: 5,
});
const failed = (agent: string): AnsweredSource => ({
  agent,
  answer: { kind: "failed", error: new PetrelError("PROTOCOL_VIOLATION", "no sense") },
  tookMs: 5,
});
const timedOut = (agent: string): AnsweredSource => ({
  agent,
  answer: { kind: "timed_out" },
  tookMs: 5,
});

const QUIET = report([]);
const ANOMALOUS = report([finding()]);
const verdictOf = (...sources: AnsweredSource[]) => conclude(RECORD, sources, { concludedAt: AT });

describe("the outcome", () => {
  test("all quiet is quiet, and tells no causes", () => {
    const verdict = verdictOf(answered("splunk", QUIET), answered("metrics", QUIET));
    expect(verdict).toMatchObject({ outcome: "quiet", rootCause: null, causes: [], confidence: 1 });
    expect(verdict.reason).toBeUndefined();
    expect(verdict.sources.splunk).toMatchObject({ status: "quiet", stats: { rows: 100 } });
  });

  test("a window somebody was alerted of names suspects although nothing stands out, and no incident", () => {
    const weak = report([finding({ score: 2, anomalous: false })]);
    const sources = [answered("splunk", weak), answered("metrics", QUIET)];
    const alerted = conclude({ ...RECORD, alerted: true }, sources, { concludedAt: AT });
    expect(alerted).toMatchObject({ outcome: "inconclusive", rootCause: null, confidence: 0 });
    expect(alerted.causes[0]?.service).toBe("payment-service");
    expect(alerted.reason).toBe("nothing stands out; these are the likeliest suspects");
    expect(verdictOf(...sources)).toMatchObject({ outcome: "quiet", causes: [] });
  });

  test("the configured call graph decides who is cause and who is affected", () => {
    const slow = (service: string, id: string) =>
      finding({ id, service, kind: "latency", resource: "latency" });
    const both = report([slow("shop", "logs-1"), slow("payment", "logs-2")]);
    const sources = [answered("splunk", both), answered("metrics", QUIET)];
    const dependencies = [{ caller: "shop", callee: "payment" }];
    const verdict = conclude(RECORD, sources, { concludedAt: AT, dependencies });
    expect(verdict.rootCause?.service).toBe("payment");
    expect(verdict.causes[0]?.affected).toEqual(["shop"]);
  });

  test("a source that failed never reads as quiet", () => {
    for (const lost of [saidFailed, failed, timedOut]) {
      const verdict = verdictOf(answered("splunk", QUIET), lost("metrics"));
      expect(verdict).toMatchObject({ outcome: "inconclusive", rootCause: null, confidence: 0 });
      expect(verdict.reason).toStartWith("metrics ");
      expect(verdict.sources.metrics?.status).toBe(lost === timedOut ? "timed_out" : "failed");
      expect(verdict.sources.metrics?.reason).toBeString();
    }
    expect(verdictOf(failed("splunk"), timedOut("metrics")).reason).toMatch(
      /^splunk failed: .*; metrics timed_out: /,
    );
  });

  test("one anomalous source is an incident, also when the other failed; the reason says so", () => {
    const both = verdictOf(answered("splunk", ANOMALOUS), answered("metrics", QUIET));
    expect(both).toMatchObject({ outcome: "incident", rootCause: { service: "payment-service" } });
    expect(both.reason).toBeUndefined();
    const one = verdictOf(answered("splunk", ANOMALOUS), saidFailed("metrics"));
    expect(one).toMatchObject({ outcome: "incident", rootCause: { service: "payment-service" } });
    expect(one.reason).toBe("metrics failed: UNAVAILABLE: away");
  });

  test("something changed and nothing explains it: inconclusive, with a reason", () => {
    const verdict = verdictOf(answered("splunk", report([], { outcome: "anomalous" })));
    expect(verdict).toMatchObject({ outcome: "inconclusive", rootCause: null });
    expect(verdict.reason).toContain("no single cause");
  });

  test("an incident's evidence holds whatever its causes cite", () => {
    const many = Array.from({ length: 200 }, (_, at) =>
      finding({ id: `logs-${at + 1}`, service: `service-${at % 40}`, score: 3 + (at % 7) }),
    );
    const verdict = verdictOf(answered("splunk", report(many)));
    const ids = new Set(verdict.evidence.map(({ id }) => id));
    expect(ids.size).toBe(50);
    const first = verdict.causes[0];
    expect(first?.evidence.length).toBeGreaterThan(0);
    expect(first?.evidence.filter((id) => !ids.has(id))).toEqual([]);
  });
});

describe("whatever the sources do", () => {
  const make: ((agent: string) => AnsweredSource)[] = [
    (agent) => answered(agent, QUIET),
    (agent) => answered(agent, ANOMALOUS),
    (agent) => saidFailed(agent, "x".repeat(1_000)),
    failed,
    timedOut,
  ];
  const pair = fc.tuple(fc.constantFrom(...make), fc.constantFrom(...make));

  test("the verdict is well formed, the same each time, and quiet only when all are", () => {
    const property = fc.property(pair, ([one, other]) => {
      const verdict = verdictOf(one("splunk"), other("metrics"));
      const states = Object.values<SourceResult>(verdict.sources).map(({ status }) => status);
      expect(Verdict.parse(JSON.parse(JSON.stringify(verdict)))).toBeObject();
      expect(verdictOf(one("splunk"), other("metrics"))).toEqual(verdict);
      expect(verdict.outcome === "quiet").toBe(states.every((state) => state === "quiet"));
      expect(verdict.outcome === "incident").toBe(states.includes("anomalous"));
      expect(verdict.outcome === "inconclusive").toBe(
        !states.includes("anomalous") && states.some((state) => state !== "quiet"),
      );
    });
    fc.assert(property, { seed, numRuns: 100 });
  });
});
