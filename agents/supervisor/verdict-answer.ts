/**
 * A verdict as the answer to a question: what broke, or that nothing stands out, with the evidence it
 * cites. A source that could not be read is told in any case, and nothing is called quiet beside it.
 */

import { PetrelError } from "../../core/mod.ts";
import { explainVerdict } from "../../streams/mod.ts";
import { type SourceResult, Verdict } from "../sre/records.ts";
import { ANSWER_SCHEMA, type Answer, type Citation, type Understood } from "./record.ts";
import { windowWords } from "./route.ts";
import { capital, citedIn, joined, listed, quoted } from "./words-of.ts";

const SUMMARY_CHARS_MAX = 300;
const SHOWN_MAX = 5;
const NEXT_MAX = 5;
/** How many of those that suffer the statistics' words name. */
const AFFECTED_TOLD = 3;
/** The evidence agents by what people call what they read. */
const SOURCE_WORDS: Readonly<Record<string, string>> = { splunk: "logs", metrics: "metrics" };

export interface VerdictContext {
  /** The question named no time. */
  readonly isDefaultWindow: boolean;
  /** Told first, such as which incidents are open. */
  readonly before?: readonly string[];
  readonly citations?: readonly Citation[];
}

/** Reads a verdict an SRE agent sent. Throws PROTOCOL_VIOLATION naming the field. */
export function readVerdict(value: unknown): Verdict {
  const parsed = Verdict.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = ["verdict", ...(issue?.path ?? [])].map(String).join(".");
  throw new PetrelError("PROTOCOL_VIOLATION", `${place}: ${issue?.message ?? "malformed"}`, {
    place,
  });
}

/** The answer to a question that an investigation answers. */
export function verdictAnswer(
  understood: Understood,
  verdict: Verdict,
  { isDefaultWindow, before = [], citations = [] }: VerdictContext,
): Answer {
  const { intent = "why", services } = understood;
  const evidence = verdict.evidence.map(({ id, source, finding }): Citation => {
    const { service, summary, link } = finding;
    const told = { service: quoted(service, 200), summary: quoted(summary, SUMMARY_CHARS_MAX) };
    return { id, source, ...told, ...(link === undefined ? {} : { link }) };
  });
  const failed = Object.entries(verdict.sources).filter(([, source]) => isFailed(source));
  const isOfSource = intent === "logs" || intent === "metrics";
  const answer = joined([
    ...before,
    lead(verdict, services, { isDefaultWindow, isNarrow: isOfSource }),
    ...failed.map(failureSentence),
    ...(isOfSource
      ? sourceSentences(intent, verdict, evidence, services)
      : causeSentences(verdict, evidence, services, failed.length > 0)),
  ]);
  const isQuiet = verdict.outcome === "quiet" && failed.length === 0;
  return {
    schema: ANSWER_SCHEMA,
    intent,
    answer,
    window: verdict.window,
    services: [...services],
    outcome: isQuiet || verdict.outcome !== "quiet" ? verdict.outcome : "inconclusive",
    verdict: verdict.id,
    citations: citedIn(answer, [...evidence, ...citations]),
    next: (verdict.causes[0]?.next ?? []).slice(0, NEXT_MAX).map((step) => quoted(step, 500)),
  };
}

function isFailed({ status }: SourceResult): boolean {
  return status === "failed" || status === "timed_out";
}

function lead(
  { window }: Verdict,
  services: readonly string[],
  { isDefaultWindow, isNarrow }: { isDefaultWindow: boolean; isNarrow: boolean },
): string {
  const where = isNarrow && services.length > 0 ? `, for ${listed(services)}` : "";
  const why = isDefaultWindow ? ", the last complete window, since no time was named" : "";
  return `I looked at ${windowWords(window)}${why}${where}.`;
}

/** `The logs could not be read: …`. */
function failureSentence([agent, { status, reason = "" }]: [string, SourceResult]): string {
  const what = SOURCE_WORDS[agent] ?? `answers of ${quoted(agent, 60)}`;
  const late = status === "timed_out" ? "they did not come in time" : quoted(reason, 300);
  return `The ${what} could not be read: ${late.replace(/\.$/, "") || "no reason was given"}.`;
}

function causeSentences(
  verdict: Verdict,
  evidence: readonly Citation[],
  services: readonly string[],
  isPartial: boolean,
): string[] {
  if (verdict.causes.length === 0) {
    if (verdict.outcome === "quiet" && !isPartial)
      return [`Nothing stands out in the ${listed(sourcesRead(verdict))}.`];
    // What could not be read was told, each with its reason.
    if (isPartial) return ["So I cannot say whether something is wrong."];
    return [`I cannot name a cause: ${quoted(verdict.reason ?? "not enough could be read", 500)}.`];
  }
  const { text } = explainVerdict({
    ...verdict,
    // What stays open is told of each source.
    reason: isPartial ? undefined : verdict.reason,
    causes: verdict.causes.map((cause) => ({
      ...cause,
      service: quoted(cause.service, 200),
      affected: cause.affected.map((name) => quoted(name, 200)),
    })),
    evidence: verdict.evidence.map(({ id, finding }) => {
      return { id, finding: { ...finding, summary: quoted(finding.summary, SUMMARY_CHARS_MAX) } };
    }),
  });
  const likely =
    verdict.outcome === "inconclusive" ? ["I cannot say for certain; these are suspects."] : [];
  return [
    ...likely,
    text,
    ...services.flatMap((name) => aboutService(name, verdict, evidence, text)),
  ];
}

/** What the verdict says of a service that was asked about, where its cause is another. */
function aboutService(
  name: string,
  { causes }: Verdict,
  evidence: readonly Citation[],
  text: string,
): string[] {
  const [first] = causes;
  if (!first || first.service === name) return [];
  const own = evidence.filter(({ service, id }) => service === name && !text.includes(`[${id}]`));
  // The text names the first of those that suffer.
  const place = first.affected.indexOf(name);
  const suffers = place >= AFFECTED_TOLD ? [`${name} suffers from it.`] : [];
  const told = own.slice(0, 2).map(({ summary, id }) => `${summary.replace(/\.$/, "")} [${id}]`);
  if (told.length > 0) return [...suffers, `Of ${name}: ${told.join("; ")}.`];
  if (place >= 0 || evidence.some(({ service }) => service === name)) return suffers;
  return [`No finding is about ${name} itself.`];
}

function sourceSentences(
  intent: "logs" | "metrics",
  verdict: Verdict,
  evidence: readonly Citation[],
  services: readonly string[],
): string[] {
  const read = Object.entries(verdict.sources).find(([agent]) => SOURCE_WORDS[agent] === intent);
  if (!read) return [`No agent reads ${intent} here.`];
  const [, result] = read;
  if (isFailed(result)) return [];
  const whose = services.length > 0 ? ` of ${listed(services)}` : "";
  const lines = result.stats["lines"];
  if (intent === "logs" && lines === 0)
    return [`There is no log line${whose} in that window, so nothing can be said of them.`];
  const own = evidence.filter(
    ({ source, service }) =>
      source === intent && (services.length === 0 || services.includes(service)),
  );
  if (own.length === 0) return [`Nothing stands out in the ${intent}${whose}.`];
  const shown = own.slice(0, SHOWN_MAX).map(({ service, summary, id }) => {
    const name = services.length === 1 ? "" : `${service}: `;
    return `${capital(`${name}${summary}`.replace(/\.$/, ""))} [${id}].`;
  });
  const more =
    own.length > SHOWN_MAX ? [`${own.length - SHOWN_MAX} more findings are not listed.`] : [];
  return [...shown, ...more];
}

/** What was read, in words: `logs (14,230 lines) and metrics (58 series)`. */
function sourcesRead({ sources }: Verdict): string[] {
  const read = Object.entries(sources).map(([agent, { stats }]) => {
    const { lines, series } = stats;
    const word = SOURCE_WORDS[agent] ?? quoted(agent, 60);
    if (lines !== undefined) return `${word} (${lines.toLocaleString("en-US")} lines)`;
    return series === undefined ? word : `${word} (${series.toLocaleString("en-US")} series)`;
  });
  return read.length > 0 ? read : ["window"];
}
