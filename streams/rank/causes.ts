/**
 * Ranks the likely causes of an anomalous window from the reports of all sources. Deterministic: the
 * same reports give the same ranking. No network, no model, no clock.
 */
import type { Cause, Evidence, Ranking } from "../causes.ts";
import { NOTABLE } from "../detect/draft.ts";
import { isAnomalous } from "../detect/verdict.ts";
import type { Dependency, SourceReport } from "../findings.ts";
import { confidenceOf } from "./confidence.ts";
import { CallGraph, likelyCalls } from "./graph.ts";
import { nextSteps } from "./next.ts";
import { type Charge, type Suspect, suspectsOf, weightOf } from "./suspects.ts";
import { telling } from "./telling.ts";

export interface RankOptions {
  /** Causes told at most. Default 5. */
  readonly causesMax?: number;
  /** Findings taken as evidence at most, heaviest first. Default 200. */
  readonly evidenceMax?: number;
  /** Rank although no finding is anomalous, for a window known to be bad. Default false. */
  readonly always?: boolean;
}

/** Evidence ids per cause, for and against. */
const CITED_MAX = 8;
const AFFECTED_MAX = 20;
/** A suspect below this share of the first is no cause worth telling. */
const SHARE_MIN = 0.15;
/** Mechanisms that only say that something is wrong. */
const VAGUE_MECHANISMS = new Set(["errors", "slow responses"]);
/** A specific mechanism needs this share of the strongest evidence to be told in place of a vague one. */
const SPECIFIC_SHARE = 0.6;

/** Best cause first; no causes when no source found the window anomalous. */
export function rankCauses(reports: readonly SourceReport[], options: RankOptions = {}): Ranking {
  const evidence = evidenceOf(reports, options.evidenceMax ?? 200);
  const calls = reports.flatMap((report) => report.dependencies);
  const dependencies = likelyCalls(calls, spokenCalls(evidence));
  if (options.always !== true && !isAnomalous(reports.flatMap((report) => report.findings))) {
    return { causes: [], evidence, dependencies };
  }
  const graph = new CallGraph(dependencies);
  const suspects = suspectsOf(evidence, graph).filter((suspect) => suspect.score > 0);
  const first = suspects[0]?.score ?? 0;
  const causes = suspects
    .filter((suspect) => suspect.score >= SHARE_MIN * first)
    .slice(0, options.causesMax ?? 5)
    .map((suspect) => causeOf(suspect, { suspects, evidence, graph }));
  return renumbered({ causes, evidence, dependencies });
}

/** e1, e2, … so that the first cause's evidence comes first, as it is told; then the rest by weight. */
function renumbered({ causes, evidence, dependencies }: Ranking): Ranking {
  const told = new Map((causes[0]?.evidence ?? []).map((id, place) => [id, place]));
  const placeOf = ({ id }: Evidence) => told.get(id) ?? told.size;
  const sorted = [...evidence].sort((a, b) => placeOf(a) - placeOf(b));
  const names = new Map(sorted.map(({ id }, index) => [id, `e${index + 1}`]));
  const renamed = (ids: readonly string[]) => ids.flatMap((id) => names.get(id) ?? []);
  return {
    causes: causes.map((cause) => ({
      ...cause,
      evidence: renamed(cause.evidence),
      against: renamed(cause.against),
    })),
    evidence: sorted.map((one, index) => ({ ...one, id: `e${index + 1}` })),
    dependencies,
  };
}

/** e1, e2, … in order of weight over all sources. */
function evidenceOf(reports: readonly SourceReport[], max: number): Evidence[] {
  return reports
    .flatMap(({ source, findings }) => findings.map((finding) => ({ id: "", source, finding })))
    .map((one) => ({ one, weight: weightOf(one) }))
    .sort((a, b) => b.weight - a.weight || (key(a.one) < key(b.one) ? -1 : 1))
    .slice(0, max)
    .map(({ one }, index) => ({ ...one, id: `e${index + 1}` }));
}

const key = ({ source, finding }: Evidence) => `${source} ${finding.id}`;

/** Calls that error texts tell of: who names another service in its errors asked it for something. */
function spokenCalls(evidence: readonly Evidence[]): Dependency[] {
  return evidence.flatMap(({ finding: { service, resource, mentions, value } }) =>
    resource === undefined
      ? []
      : (mentions ?? []).map((callee) => ({
          caller: service,
          callee,
          count: Math.max(1, Math.round(value ?? 1)),
        })),
  );
}

interface Case {
  readonly suspects: readonly Suspect[];
  readonly evidence: readonly Evidence[];
  readonly graph: CallGraph;
}

function causeOf(suspect: Suspect, all: Case): Cause {
  const { service, charges, score } = suspect;
  const leading = leadingOf(charges);
  const mechanism = leading?.family.mechanism ?? "unusual behaviour";
  const location = locationOf(service, charges, leading);
  const resource = leading?.evidence.finding.resource;
  const affected = affectedBy(service, all);
  return {
    service,
    mechanism,
    ...(resource === undefined ? {} : { resource }),
    ...(location === undefined ? {} : { location }),
    score,
    confidence: confidenceOf(
      score,
      all.suspects.map((one) => one.score),
    ),
    evidence: cited(telling(charges, leading, CITED_MAX)),
    against: againstOf(service, affected, all),
    affected,
    next: nextSteps(mechanism, service, location),
  };
}

/**
 * The charge that gives the mechanism: the strongest, but one that names a scarce resource before one
 * that tells what follows from it, and a specific one before a vague one.
 */
function leadingOf(charges: readonly Charge[]): Charge | undefined {
  const able = charges.filter(({ family }) => family.mechanism !== undefined);
  const strong = able.filter(({ weight }) => weight >= SPECIFIC_SHARE * (able[0]?.weight ?? 0));
  const named = strong.find(({ family, evidence }) => family.named && evidence.finding.anomalous);
  const specific = strong.find(({ family }) => !VAGUE_MECHANISMS.has(family.mechanism ?? ""));
  return named ?? specific ?? able[0];
}

function cited(evidence: readonly Evidence[]): string[] {
  return [...new Set(evidence.map(({ id }) => id))].slice(0, CITED_MAX);
}

/** Where below the service: the code, the pool, or the other end of a slow edge. */
function locationOf(
  service: string,
  charges: readonly Charge[],
  leading?: Charge,
): string | undefined {
  if (leading === undefined) return undefined;
  if (leading.family.name === "pool") return "database connection pool";
  if (leading.family.name === "delay") {
    const peer = leading.evidence.finding.peer;
    return peer === undefined ? undefined : `-> ${peer}`;
  }
  if (!["path", "errors", "text"].includes(leading.family.name)) return undefined;
  const located = charges.filter(
    ({ evidence: { finding } }) =>
      finding.service === service && finding.codeLocation !== undefined,
  );
  // A step through the code brackets the fault; a single line only reports it.
  const step = located.find(({ family }) => family.name === "path");
  return (step ?? located[0])?.evidence.finding.codeLocation;
}

/** Services with evidence of their own that call the cause, wait for it, or name it. */
function affectedBy(service: string, { suspects, evidence, graph }: Case): string[] {
  const callers = graph.above(service);
  const touched = new Set(
    evidence
      .filter(({ finding }) => finding.peer === service || finding.mentions?.includes(service))
      .map(({ finding }) => finding.service),
  );
  return suspects
    .map((suspect) => suspect.service)
    .filter((name) => name !== service && (callers.has(name) || touched.has(name)))
    .slice(0, AFFECTED_MAX);
}

/** Notable evidence that this cause does not account for. */
function againstOf(service: string, affected: readonly string[], { evidence }: Case): string[] {
  const covered = new Set([service, ...affected]);
  return cited(
    evidence.filter(
      ({ finding }) =>
        finding.anomalous && finding.score >= NOTABLE && !covered.has(finding.service),
    ),
  );
}
