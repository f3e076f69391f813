/** Verdicts, reports and a clock moved by hand, for tests of what the SRE agent decides. */
import type { Verdict } from "../../agents/mod.ts";
import type { Clock } from "../../core/mod.ts";
import type { Finding, SourceReport } from "../../streams/mod.ts";

export const START_MS = Date.UTC(2026, 0, 29, 8, 45);
export const MINUTE_MS = 60_000;

const iso = (ms: number) => new Date(ms).toISOString();

/** Five minutes, `offsetMs` after the first window. */
export function windowAt(offsetMs = 0): { start: string; end: string } {
  return { start: iso(START_MS + offsetMs), end: iso(START_MS + offsetMs + 5 * MINUTE_MS) };
}

export function finding(more: Partial<Finding> = {}): Finding {
  return {
    id: "logs-1",
    kind: "error_burst",
    service: "payment-service",
    summary: "payment-service logged 150 errors, 2 before.",
    score: 9,
    anomalous: true,
    direction: "up",
    ...more,
  };
}

export function report(
  findings: readonly Finding[],
  more: Partial<SourceReport> = {},
): SourceReport {
  return {
    schema: "petrel.findings/v1",
    source: "logs",
    window: windowAt(),
    baseline: [],
    outcome: findings.some(({ anomalous }) => anomalous) ? "anomalous" : "quiet",
    findings: [...findings],
    services: [],
    dependencies: [],
    stats: { rows: 100 },
    notes: [],
    cut: false,
    links: [],
    ...more,
  };
}

/** An incident of the payment service, in a window of its own. */
export function incident(id: string, more: Partial<Verdict> = {}): Verdict {
  const [service, mechanism] = ["payment-service", "connection pool exhausted"];
  return {
    id,
    window: windowAt(),
    outcome: "incident",
    rootCause: { service, mechanism },
    confidence: 0.9,
    causes: [
      {
        service,
        mechanism,
        score: 9,
        confidence: 0.9,
        evidence: ["e1"],
        against: [],
        affected: ["order-service"],
        next: ["Look at the pool's size."],
      },
    ],
    evidence: [{ id: "e1", source: "logs", finding: finding() }],
    sources: {},
    concludedAt: iso(START_MS + 6 * MINUTE_MS),
    ...more,
  };
}

/** Sleeping moves the hands, and so does a test. */
export class HandClock implements Clock {
  ms: number;
  readonly naps: number[] = [];

  constructor(ms = START_MS) {
    this.ms = ms;
  }

  nowMs(): number {
    return this.ms;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.naps.push(ms);
    this.ms += ms;
  }
}
