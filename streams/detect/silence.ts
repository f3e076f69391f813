/**
 * Services that spoke steadily and say nothing any more: a crash leaves no error line. A batch job that
 * has ended is no such service, as its last line came well before the window.
 */
import type { LogSummary, TemplateCounts } from "../model.ts";
import { commonScore, poissonP, zOfP } from "../stats.ts";
import { append, clip, type Draft, short } from "./draft.ts";

/** Lines, and requests where traces tell them, that must be expected before silence says something. */
const EXPECTED_MIN = { lines: 100, traces: 20 } as const;
/** A steady service's first and last line lie this near to those of the whole baseline. */
const STEADY_MS = 30_000;
/** Silence may come from upstream as well, where requests end. */
const WEIGHT = 0.6;

/** One finding per silent service; `factor` is the ratio of traffic to expect. */
export function detectSilence(
  current: LogSummary,
  baseline: LogSummary,
  factor: (service: string) => number,
): Draft[] {
  const { firstMs, lastMs } = baseline;
  if (firstMs === undefined || lastMs === undefined) return [];
  const traces = busiest(baseline);
  const spoken = new Map<string, TemplateCounts[]>();
  for (const template of baseline.templates.values()) append(spoken, template.service, template);
  return [...spoken].flatMap(([service, templates]) => {
    const before = baseline.services.get(service)?.lines ?? 0;
    const expected = before * factor(service);
    const seen = traces === undefined ? before : (traces.get(service) ?? 0);
    const rare = traces !== undefined && seen * factor(service) < EXPECTED_MIN.traces;
    if ((current.services.get(service)?.lines ?? 0) > 0 || rare) return [];
    if (expected < EXPECTED_MIN.lines) return [];
    const starts = Math.min(...templates.map((template) => template.firstMs));
    const ends = Math.max(...templates.map((template) => template.lastMs));
    if (starts > firstMs + STEADY_MS || ends < lastMs - STEADY_MS) return [];
    const z = zOfP(poissonP(0, factor(service), seen, 1));
    return [
      {
        kind: "template_gone" as const,
        service,
        resource: "traffic" as const,
        summary: clip(`No line from ${service} where ${short(expected)} were expected.`, 1_000),
        score: commonScore(WEIGHT * z),
        anomalous: true,
        direction: "gone" as const,
        value: 0,
        baseline: expected,
        unit: "lines",
      },
    ];
  });
}

/** Per service the traces of the statement that most of them pass: the unit that comes by chance. */
function busiest({ paths }: LogSummary): Map<string, number> | undefined {
  if (paths === undefined) return undefined;
  const most = new Map<string, number>();
  for (const { service, traces } of paths.statements.values()) {
    most.set(service, Math.max(most.get(service) ?? 0, traces));
  }
  return most;
}
