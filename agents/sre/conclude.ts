/**
 * From answers to a verdict. A source that failed is not a source that found nothing: without a finding
 * and with a source missing, the verdict is inconclusive, never quiet.
 */
import { type Dependency, type Ranking, rankCauses, type SourceReport } from "../../streams/mod.ts";
import type { Answer } from "./ask.ts";
import type { CauseJson, InvestigationRecord, Outcome, SourceResult, Verdict } from "./records.ts";

export interface AnsweredSource {
  readonly agent: string;
  readonly answer: Answer;
  readonly tookMs: number;
}

const CAUSES_MAX = 10;
const EVIDENCE_MAX = 50;

export interface ConcludeOptions {
  /** ISO 8601. */
  readonly concludedAt: string;
  /** Who calls whom by configuration, beside what the sources saw. */
  readonly dependencies?: readonly Pick<Dependency, "caller" | "callee">[];
}

/** The verdict over all sources. Pure: the same answers give the same verdict. */
export function conclude(
  record: InvestigationRecord,
  answered: readonly AnsweredSource[],
  { concludedAt, dependencies = [] }: ConcludeOptions,
): Verdict {
  const reports = answered.flatMap(({ answer }) => reportIn(answer) ?? []);
  const ranking = rankCauses(reports, { always: record.alerted === true, dependencies });
  const sources = Object.fromEntries(answered.map((source) => [source.agent, resultOf(source)]));
  const missing = answered.filter(({ answer }) => reportIn(answer) === undefined);
  const complete = missing.length === 0 && answered.length >= record.sources.length;
  const anomalous = reports.some((report) => report.outcome === "anomalous");
  const best = ranking.causes[0];
  const outcome = outcomeOf({ anomalous, hasCause: best !== undefined, complete });
  const named = outcome === "incident" ? best : undefined;
  return {
    id: record.id,
    window: record.window,
    outcome,
    ...reasonOf({ outcome, anomalous }, sources, missing),
    rootCause: named ? rootCauseOf(named) : null,
    confidence: named?.confidence ?? (outcome === "quiet" ? 1 : 0),
    causes: outcome === "quiet" ? [] : ranking.causes.slice(0, CAUSES_MAX).map(causeJson),
    evidence: outcome === "quiet" ? [] : evidenceOf(ranking),
    sources,
    concludedAt,
  };
}

/** With a cause and nothing anomalous, somebody asked for suspects: they are told, and alarm nobody. */
function outcomeOf(found: { anomalous: boolean; hasCause: boolean; complete: boolean }): Outcome {
  if (found.anomalous && found.hasCause) return "incident";
  if (found.anomalous || found.hasCause || !found.complete) return "inconclusive";
  return "quiet";
}

function reportIn(answer: Answer): SourceReport | undefined {
  return answer.kind === "reply" && answer.reply.status === "answered"
    ? answer.reply.report
    : undefined;
}

/** How one source ended, whatever the others did. */
export function resultOf({ answer, tookMs }: AnsweredSource): SourceResult {
  const empty = { findings: 0, stats: {}, notes: [], links: [], tookMs };
  if (answer.kind === "timed_out")
    return { status: "timed_out", reason: "no reply in time", ...empty };
  if (answer.kind === "failed") {
    return {
      status: "failed",
      reason: `${answer.error.code}: ${answer.error.message}`.slice(0, 1_000),
      ...empty,
    };
  }
  const { reply } = answer;
  if (reply.status === "failed") {
    return { status: "failed", reason: `${reply.code}: ${reply.reason}`.slice(0, 1_000), ...empty };
  }
  const { report } = reply;
  return {
    status: report.outcome,
    findings: report.findings.length,
    stats: report.stats,
    notes: report.notes,
    links: report.links,
    tookMs,
  };
}

function reasonOf(
  { outcome, anomalous }: { outcome: Outcome; anomalous: boolean },
  sources: Record<string, SourceResult>,
  missing: readonly AnsweredSource[],
): { reason?: string } {
  const lacking = missing.map(
    ({ agent }) => `${agent} ${sources[agent]?.status}: ${sources[agent]?.reason ?? ""}`,
  );
  if (lacking.length > 0) return { reason: lacking.join("; ").slice(0, 1_000) };
  if (outcome !== "inconclusive") return {};
  return {
    reason: anomalous
      ? "something changed, and no single cause explains it"
      : "nothing stands out; these are the likeliest suspects",
  };
}

function rootCauseOf(cause: Ranking["causes"][number]): NonNullable<Verdict["rootCause"]> {
  const { service, mechanism, location } = cause;
  return { service, mechanism, ...(location === undefined ? {} : { location }) };
}

function causeJson(cause: Ranking["causes"][number]): CauseJson {
  const { evidence, against, affected, next } = cause;
  return {
    ...cause,
    evidence: [...evidence],
    against: [...against],
    affected: [...affected],
    next: [...next],
  };
}

/** What the causes cite, then the rest by weight. */
function evidenceOf(ranking: Ranking): Verdict["evidence"] {
  const cited = new Set(
    ranking.causes.slice(0, CAUSES_MAX).flatMap((cause) => [...cause.evidence, ...cause.against]),
  );
  const first = ranking.evidence.filter(({ id }) => cited.has(id));
  const rest = ranking.evidence.filter(({ id }) => !cited.has(id));
  return [...first, ...rest]
    .slice(0, EVIDENCE_MAX)
    .map(({ id, source, finding }) => ({ id, source, finding }));
}
