/** A summary of logs with as many services as wanted, ten lines each. */
import type { LogSummary, ServiceCounts } from "../../streams/mod.ts";

const LINES = 10;

export function summaryOf(options: {
  services: number;
  unparsed?: number;
  cutLines?: number;
  outsideWindow?: number;
}): LogSummary {
  const startMs = Date.parse("2026-01-29T08:40:00.000Z");
  const counts: ServiceCounts = {
    lines: LINES,
    errors: 0,
    warnings: 0,
    requests: LINES,
    http500: 0,
    http5xx: 0,
    latencySumMs: 100,
    latencyCount: LINES,
    latencyMaxMs: 20,
  };
  const services = Array.from(
    { length: options.services },
    (_, n) => [`service-${n + 1}`, { ...counts }] as const,
  );
  return {
    window: { startMs, endMs: startMs + 300_000 },
    rows: LINES * options.services,
    bytes: 1_000 * options.services,
    unparsed: options.unparsed ?? 0,
    outsideWindow: options.outsideWindow ?? 0,
    cutLines: options.cutLines ?? 0,
    overflow: 0,
    services: new Map(services),
    templates: new Map(),
    firstMs: startMs,
    lastMs: startMs + 299_000,
  };
}
