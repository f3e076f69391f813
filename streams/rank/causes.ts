/**
 * Ranks the likely causes of an anomalous window from the reports of all sources. Deterministic: the
 * same reports give the same ranking. No network, no model, no clock.
 */
import type { Cause, Evidence, Ranking } from "../causes.ts";
import { NOTABLE } from "../detect/draft.ts";
import { isAnomalous } from "../detect/verdict.ts";
import type { Dependency, SourceReport } from "../findings.ts";
import { confidenceOf } from "./confidence.ts";
import { CallGraph, knownCalls } from "./graph.ts";
import { impactsOf } from "./impact.ts";
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
  /** Who calls whom by configuration, beside what the sources saw. */
  readonly dependencies?: readonly Pick<Dependency, "caller" | "callee">[];
}

/** Evidence ids per cause, for and against. */
const CITED_MAX = 8;
const AFFECTED_MAX = 20;
const BLIND_MAX = 3;
/** A suspect below this share of the first is no cause worth telling. */
const SHARE_MIN = 0.15;
/** What symptoms alone count beside a fault that names itself. */
const SUFFERER_SHARE = 0.5;
/** Mechanisms that only say that something is wrong. */
const VAGUE_MECHANISMS = new Set(["errors", "slow responses"]);
/** A specific mechanism needs this share of the strongest evidence to be told in place of a vague one. */
const SPECIFIC_SHARE = 0.6;

/** Best cause first; no causes when no source found the window anomalous. */
export function rankCauses(reports: readonly SourceReport[], options: RankOptions = {}): Ranking {
  const evidence = evidenceOf(reports, options.evidenceMax ?? 200);
  const dependencies = knownCalls({
    guessed: callsOf(reports, "logs"),
    spoken: spokenCalls(evidence),
    certain: [...configuredCalls(options.dependencies ?? []), ...callsOf(reports, "metrics")],
  });
  if (options.always !== true && !isAnomalous(reports.flatMap((report) => report.findings))) {
    return { causes: [], evidence, dependencies };
  }
  const graph = new CallGraph(dependencies);
  const suspects = suspectsOf(evidence, graph, impactsOf(reports)).filter(
    (suspect) => suspect.score > 0,
  );
  const first = suspects[0]?.score ?? 0;
  const seen = new Set(reports.flatMap(({ services }) => services.map(({ service }) => service)));
  const causes = suspects
    .filter((suspect) => suspect.score >= SHARE_MIN * first)
    .slice(0, options.causesMax ?? 5)
    .map((suspect) => causeOf(suspect, { suspects, evidence, graph, seen }));
  return renumbered({ causes, evidence, dependencies });
}

function callsOf(reports: readonly SourceReport[], source: SourceReport["source"]): Dependency[] {
  return reports.filter((report) => report.source === source).flatMap((one) => one.dependencies);
}

function configuredCalls(calls: NonNullable<RankOptions["dependencies"]>): Dependency[] {
  return calls.map(({ caller, callee }) => ({ caller, callee, count: 1 }));
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
  /** Services that some source reports on. */
  readonly seen: ReadonlySet<string>;
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
      standingOf(suspect, all),
      all.suspects.map((one) => standingOf(one, all)),
    ),
    evidence: cited(telling(charges, leading, CITED_MAX)),
    against: againstOf(service, affected, all),
    affected,
    next: [...nextSteps(mechanism, service, location), ...blindSpots(service, leading, all)],
  };
}

/**
 * A suspicion as a rival: who only suffers (errors, latency) is half a rival of a first suspect whose fault
 * names itself, also where nobody knows who calls whom.
 */
function standingOf({ charges, score }: Suspect, { suspects }: Case): number {
  const isNamed = leadingOf(suspects[0]?.charges ?? [])?.family.named === true;
  const isSufferer = charges.every(({ family }) => family.symptom === "always");
  return isNamed && isSufferer ? SUFFERER_SHARE * score : score;
}

/** Callees that no source reports on: what they do to the cause shows as the cause's own doing. */
function blindSpots(service: string, leading: Charge | undefined, { graph, seen }: Case): string[] {
  if (leading?.family.symptom !== "always" || seen.size === 0) return [];
  const unseen = [...graph.below(service)]
    .filter(([name, steps]) => steps === 1 && !seen.has(name))
    .map(([name]) => name)
    .slice(0, BLIND_MAX);
  if (unseen.length === 0) return [];
  return [`Look at ${unseen.join(", ")} too: ${service} calls it, and no source reports on it.`];
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
