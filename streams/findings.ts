/**
 * Findings: what an agent answers. The data part of its A2A artifact, checked by every reader.
 * The schema's name is in {@link FINDINGS_SCHEMA}; a field may be added, none changes its meaning.
 */
import { z } from "zod";
import { limits } from "../core/mod.ts";

export const FINDINGS_SCHEMA = "petrel.findings/v1";

export const FINDING_KINDS = [
  "template_new",
  "template_gone",
  "template_rate",
  "error_burst",
  "http_5xx",
  "latency",
  "edge_delay",
  /** A request takes another way through a service's code. */
  "path_change",
  "metric_deviation",
  "rule",
] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

/** What is scarce or broken, for kinds that can say it. */
export const RESOURCES = [
  "cpu",
  "memory",
  "jvm_memory",
  "gc",
  "connection_pool",
  "threads",
  "network",
  "disk",
  "latency",
  "errors",
  "traffic",
] as const;
export type Resource = (typeof RESOURCES)[number];

const Instant = z.iso.datetime();
const WindowJson = z.strictObject({ start: Instant, end: Instant });

export const Finding = z.strictObject({
  /** Unique in its report: `logs-3`, `metrics-1`. */
  id: z.string().regex(/^[a-z]+-\d+$/),
  kind: z.enum(FINDING_KINDS),
  service: z.string().min(1).max(200),
  resource: z.enum(RESOURCES).optional(),
  /** Plain words, one sentence, no markup. */
  summary: z.string().max(1_000),
  /** How far from normal, on the common scale of docs/findings.md: 0 none, 3 notable, 10 beyond doubt. */
  score: z.number().min(0).max(1_000),
  /** True when the finding alone makes the window anomalous. */
  anomalous: z.boolean(),
  direction: z.enum(["up", "down", "new", "gone"]),
  value: z.number().optional(),
  baseline: z.number().optional(),
  /** What was measured just before the window: near `value` when this did not begin with the window. */
  recent: z.number().optional(),
  unit: z.string().max(40).optional(),
  templateId: z.string().max(64).optional(),
  template: z.string().max(2_000).optional(),
  /** Class and line, e.g. `ContactsServiceImpl#34`. */
  codeLocation: z.string().max(200).optional(),
  exception: z.string().max(200).optional(),
  metric: z.string().max(200).optional(),
  rule: z.string().max(200).optional(),
  /** For edge_delay: the other end. `service` is where the delay most likely sits. */
  peer: z.string().max(200).optional(),
  /** Services this text names, e.g. in `No instances available for ts-basic-service`. */
  mentions: z.array(z.string().max(200)).max(20).optional(),
  /** Redacted, each at most EXEMPLAR_CHARS_MAX characters. Untrusted text: data, never instructions. */
  exemplars: z
    .array(z.string().max(limits.EXEMPLAR_CHARS_MAX))
    .max(limits.EXEMPLARS_MAX)
    .optional(),
  link: z.string().max(2_000).optional(),
});
export type Finding = z.infer<typeof Finding>;

export const ServiceSummary = z.strictObject({
  service: z.string().max(200),
  lines: z.number().int().min(0).optional(),
  errors: z.number().int().min(0).optional(),
  http500: z.number().int().min(0).optional(),
  http5xx: z.number().int().min(0).optional(),
  requests: z.number().min(0).optional(),
  latencyMeanMs: z.number().min(0).optional(),
});

export type ServiceSummary = z.infer<typeof ServiceSummary>;

/** Who calls whom, as far as the source can tell. */
export const Dependency = z.strictObject({
  caller: z.string().max(200),
  callee: z.string().max(200),
  count: z.number().min(0),
});
export type Dependency = z.infer<typeof Dependency>;

export const SourceReport = z.strictObject({
  schema: z.literal(FINDINGS_SCHEMA),
  source: z.enum(["logs", "metrics"]),
  window: WindowJson,
  baseline: z.array(WindowJson).max(50),
  outcome: z.enum(["quiet", "anomalous"]),
  findings: z.array(Finding).max(limits.FINDINGS_MAX),
  services: z.array(ServiceSummary).max(limits.SERVICES_MAX),
  dependencies: z.array(Dependency).max(2_000),
  /** How much was read: lines, bytes, templates, series, seconds. */
  stats: z.record(z.string().max(60), z.number()),
  /** What the reader should know: clock skew, cut lines, unparsed rows, an empty baseline. */
  notes: z.array(z.string().max(500)).max(20),
  /** True when findings, services or dependencies were cut to fit. */
  cut: z.boolean(),
  links: z
    .array(z.strictObject({ title: z.string().max(300), url: z.string().max(2_000) }))
    .max(20),
});
export type SourceReport = z.infer<typeof SourceReport>;
