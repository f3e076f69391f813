/**
 * Log findings: what one window's logs show that the baseline's do not. Pure; quotes no line that has
 * not passed through `redact`.
 */
import { limits } from "../../core/mod.ts";
import type { Finding } from "../findings.ts";
import type { LogSummary, TemplateCounts } from "../model.ts";
import type { RuleSet } from "../rules.ts";
import { commonScore } from "../stats.ts";
import { units } from "./align.ts";
import { detectDelays } from "./delays.ts";
import { clip, type Draft, NOTABLE, numbered } from "./draft.ts";
import { detectEntries } from "./entries.ts";
import { detectPaths } from "./paths.ts";
import { detectBreaches, detectServices } from "./services.ts";
import { detectSilence } from "./silence.ts";
import { symptomOf } from "./symptoms.ts";
import { detectTemplates, lengthRatio, sizeFactors } from "./templates.ts";
import { exemplarsOf, mentionsOf, type TextOptions } from "./text.ts";
import { counted } from "./words.ts";

export interface DetectOptions {
  /** Every quoted text passes through it. Default: unchanged. */
  readonly redact?: (text: string) => string;
  readonly findingsMax?: number;
}

export interface LogReading {
  readonly findings: Finding[];
  readonly notes: string[];
}

/** Resources whose exhaustion a service does not survive: their lines need no baseline to be wrong. */
const FATAL_RESOURCES = new Set(["connection_pool", "jvm_memory", "threads", "disk"]);
const FATAL_LINES_MIN = 3;

/**
 * Findings of the window, heaviest first, `logs-1`, … Without a baseline only thresholds and error
 * lines can be judged, and a note says so.
 */
export function detectLogs(
  current: LogSummary,
  baseline: LogSummary | undefined,
  rules: RuleSet = {},
  options: DetectOptions = {},
): LogReading {
  const known = new Set([...current.services.keys(), ...(baseline?.services.keys() ?? [])]);
  const text: TextOptions = { redact: options.redact ?? ((line) => line), known };
  const findingsMax = options.findingsMax ?? limits.FINDINGS_MAX;
  const breaches = detectBreaches(current, rules);
  if (baseline === undefined || baseline.services.size === 0) {
    const drafts = [...breaches, ...errorsAlone(current, text)];
    const notes = ["No baseline: only thresholds and error lines were judged."];
    return { findings: numbered(drafts, "logs", findingsMax), notes };
  }
  const factor = sizeFactors(units(current, baseline), lengthRatio(current, baseline));
  const others = [
    ...breaches,
    ...detectServices(current, baseline, factor),
    ...detectSilence(current, baseline, factor),
    ...detectTemplates(current, baseline, text),
    ...detectDelays(current, baseline),
    ...detectEntries(current, baseline, text),
  ];
  const troubled = others.some(
    ({ resource, score }) => resource !== undefined && resource !== "traffic" && score >= NOTABLE,
  );
  const drafts = [...others, ...detectPaths(current, baseline, text, troubled)];
  return { findings: numbered(drafts, "logs", findingsMax), notes: [] };
}

function errorsAlone(current: LogSummary, text: TextOptions): Draft[] {
  return [...current.templates.values()]
    .filter(({ level }) => level === "ERROR" || level === "FATAL")
    .map((template) => errorDraft(template, text));
}

function errorDraft(template: TemplateCounts, text: TextOptions): Draft {
  const words = [template.template, template.exception ?? "", ...template.exemplars].join("\n");
  const resource = symptomOf(words)?.resource ?? "errors";
  const mentions = mentionsOf(words, text, template.service);
  const fatal = FATAL_RESOURCES.has(resource) && template.count >= FATAL_LINES_MIN;
  return {
    kind: "template_new",
    service: template.service,
    resource,
    summary: clip(
      `${counted(template.count, "time")} ${template.level} "${clip(text.redact(template.template), 160)}".`,
      1_000,
    ),
    // Without a past the count alone speaks, softly.
    score: commonScore(Math.min(fatal ? 2 * NOTABLE : NOTABLE, Math.log2(1 + template.count))),
    anomalous: fatal,
    direction: "new",
    value: template.count,
    unit: "lines",
    templateId: clip(template.id, 64),
    template: clip(text.redact(template.template), 2_000),
    ...(template.frame === undefined ? {} : { codeLocation: clip(template.frame, 200) }),
    ...(template.exception === undefined
      ? {}
      : { exception: clip(text.redact(template.exception), 200) }),
    ...(mentions.length === 0 ? {} : { mentions }),
    exemplars: exemplarsOf(template, text),
  };
}
