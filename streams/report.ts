/** Makes the report an agent answers with, and makes it fit. It never decides what is a finding. */
import { limits } from "../core/mod.ts";
import { servicesOf } from "./detect/exposure.ts";
import {
  type Dependency,
  FINDINGS_SCHEMA,
  type Finding,
  type ServiceSummary,
  type SourceReport,
} from "./findings.ts";
import type { LogSummary, Series, ServiceCounts } from "./model.ts";

/** Name of the A2A artifact whose data part is a {@link SourceReport}. */
export const ARTIFACT_NAME = "findings";

const DEPENDENCIES_MAX = 2_000;
const NOTES_MAX = 20;
/** What may be cut from a report, and is missed when it is. */
const LISTS = ["findings", "services", "dependencies"] as const;

interface Common {
  readonly window: SourceReport["window"];
  readonly baseline: SourceReport["baseline"];
  readonly findings: readonly Finding[];
  readonly notes: readonly string[];
  /** How long reading the window took. */
  readonly seconds: number;
}

export interface LogReportParts extends Common {
  readonly current: LogSummary;
  /** A link to the lines that contain all of `terms`. */
  readonly link?: (terms?: readonly string[]) => string | undefined;
}

export function reportOfLogs(parts: LogReportParts): SourceReport {
  const { current, seconds } = parts;
  const rows = current.rows;
  const window = parts.link?.();
  return {
    ...base("logs", parts),
    findings: parts.findings.map((finding) => linked(finding, parts.link)),
    services: [...current.services].map(([service, counts]) => serviceOf(service, counts)),
    dependencies: [...(current.paths?.calls.values() ?? [])],
    stats: {
      lines: rows,
      bytes: current.bytes,
      linesPerSecond: seconds > 0 ? Math.round(rows / seconds) : 0,
      templates: current.templates.size,
      unparsed: current.unparsed,
      outsideWindow: current.outsideWindow,
      cutLines: current.cutLines,
      seconds,
    },
    notes: [...parts.notes, ...notesOf(current)].slice(0, NOTES_MAX),
    links: window === undefined ? [] : [{ title: "Splunk", url: window }],
  };
}

export interface MetricReportParts extends Common {
  readonly series: readonly Series[];
  /** Who calls whom, where the deployment's own configuration or its mesh says so. */
  readonly dependencies?: readonly Dependency[];
  readonly cut: boolean;
  readonly links:
    | SourceReport["links"]
    | readonly { readonly title: string; readonly url: string }[];
}

export function reportOfMetrics(parts: MetricReportParts): SourceReport {
  const { series, seconds } = parts;
  const window = { startMs: Date.parse(parts.window.start), endMs: Date.parse(parts.window.end) };
  const services = servicesOf(series, window);
  const samples = series.reduce((sum, one) => sum + one.values.length, 0);
  return {
    ...base("metrics", parts),
    findings: [...parts.findings],
    services,
    dependencies: [...(parts.dependencies ?? [])],
    stats: { series: series.length, samples, services: services.length, seconds },
    notes: parts.notes.slice(0, NOTES_MAX),
    cut: parts.cut,
    links: parts.links.slice(0, 20),
  };
}

/**
 * Cuts a report until it is valid and below ARTIFACT_BYTES_MAX: first what is least needed. `cut` says
 * that something went.
 */
export function fitReport(report: SourceReport): SourceReport {
  let fitted: SourceReport = {
    ...report,
    services: report.services.slice(0, limits.SERVICES_MAX),
    dependencies: strongest(report.dependencies, DEPENDENCIES_MAX),
    findings: report.findings.slice(0, limits.FINDINGS_MAX),
  };
  fitted.cut ||= LISTS.some((list) => fitted[list].length < report[list].length);
  while (bytesOf(fitted) > limits.ARTIFACT_BYTES_MAX) {
    const { dependencies, services, findings } = fitted;
    if (dependencies.length > 100)
      fitted = { ...fitted, dependencies: strongest(dependencies, 100), cut: true };
    else if (services.length > 100)
      fitted = { ...fitted, services: services.slice(0, 100), cut: true };
    else
      fitted = {
        ...fitted,
        findings: findings.slice(0, Math.floor(findings.length / 2)),
        cut: true,
      };
  }
  return fitted;
}

function bytesOf(report: SourceReport): number {
  return Buffer.byteLength(JSON.stringify(report));
}

type Base = Pick<SourceReport, "schema" | "source" | "window" | "baseline" | "outcome" | "cut">;

function base(source: SourceReport["source"], parts: Common): Base {
  const anomalous = parts.findings.some((finding) => finding.anomalous);
  return {
    schema: FINDINGS_SCHEMA,
    source,
    window: parts.window,
    baseline: [...parts.baseline],
    outcome: anomalous ? "anomalous" : "quiet",
    cut: false,
  };
}

function strongest(dependencies: readonly Dependency[], max: number): Dependency[] {
  return [...dependencies].sort((a, b) => b.count - a.count).slice(0, max);
}

function serviceOf(service: string, counts: ServiceCounts): ServiceSummary {
  const { lines, errors, http500, http5xx, requests, latencyCount, latencySumMs } = counts;
  const latency = latencyCount > 0 ? { latencyMeanMs: latencySumMs / latencyCount } : {};
  return { service, lines, errors, http500, http5xx, requests, ...latency };
}

function linked(finding: Finding, link: LogReportParts["link"]): Finding {
  if (finding.link !== undefined) return finding;
  const url = link?.([finding.service]);
  return url === undefined ? finding : { ...finding, link: url };
}

/** What a reader should know about how the logs read. */
function notesOf(summary: LogSummary): string[] {
  const notes: string[] = [];
  const skewMs = summary.firstMs === undefined ? 0 : summary.firstMs - summary.window.startMs;
  if (summary.rows === 0) notes.push("no log line was found in the window");
  if (summary.unparsed > 0) notes.push(`${summary.unparsed} rows had no format we know`);
  if (summary.cutLines > 0)
    notes.push(`${summary.cutLines} lines were longer than the limit and were cut`);
  if (summary.overflow > 0) notes.push(`${summary.overflow} rows exceeded the template table`);
  if (summary.outsideWindow > 0) {
    notes.push(`${summary.outsideWindow} rows had a time outside the window: check the clocks`);
  }
  if (skewMs > 60_000) notes.push("the first line is more than a minute after the window's start");
  return notes;
}
