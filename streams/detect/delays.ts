/**
 * Finds the service that is slow from the gaps between lines of one trace.
 *
 * Each ordered pair of services, and each uninterrupted step inside one service, gives one observation:
 * the logarithm of the median gap now over the median gap before. A gap between two services grows when
 * either end is slow. As in risk modelling for network faults (SCORE, Kompella et al., NSDI 2005), the
 * service that covers most slow gaps with the fewest fast ones is blamed first and its gaps are taken out.
 */
import type { LogSummary } from "../model.ts";
import { commonScore, median, scaledMad, zOfP } from "../stats.ts";
import { append, clip, type Draft, short } from "./draft.ts";

/** Clock resolution and scheduling: below this many milliseconds a difference is nothing. */
const RESOLUTION_MS = 1;
/** Load alone moves a gap this much between windows on the log scale, however often it is measured. */
const NOISE_MIN = 0.25;
/** Spread of single gaps around their median, on the log scale, at least. */
const GAP_SPREAD_MIN = 0.3;
/**
 * Share of gaps that are slow for no reason (garbage collection, a cold connection): the slower, the
 * fewer. A Pareto tail, 0.5 ratio^-1.5, as gaps in fault-free minutes have it.
 */
const OUTLIER_TAIL = { share: 0.5, power: 1.5, most: 0.06 } as const;
/** A gap counts as slow from here on, and when it is longer by more than a clock of milliseconds errs. */
const SLOW_Z = 1.5;
const DIFFERENCE_MIN_MS = 2;
/** A service that fits this nearly as well as the best is told as well. */
const TIED_SHARE = 0.95;
/** Gaps needed to tell what is common to all. */
const PEERS_MIN = 10;
const BASELINE_GAPS_MIN = 2;
const SUPPORT_MIN = 1;
/** Every service has many gaps, so the bar stands higher than NOTABLE. */
const ANOMALOUS_MIN = 5;

interface Gap {
  readonly ends: readonly [string, string];
  readonly beforeMs: number;
  readonly nowMs: number;
  /** log((now + resolution) / (before + resolution)) */
  readonly growth: number;
  /** Standard error of `growth` from the gaps themselves. */
  readonly error: number;
  /** How sure this observation can be at most: many gaps must be outliers at once. */
  readonly zMax: number;
}

interface Gaps {
  readonly count: number;
  readonly medianMs: number;
  readonly p90Ms: number;
}

const logMs = (ms: number) => Math.log(ms + RESOLUTION_MS);

/** Spread of one gap on the log scale; the distance from median to 90th percentile is 1.2816 sigma. */
function spreadOf(gaps: Gaps): number {
  return Math.max(GAP_SPREAD_MIN, (logMs(gaps.p90Ms) - logMs(gaps.medianMs)) / 1.2816);
}

function gapOf(ends: readonly [string, string], now: Gaps, before: Gaps): Gap | undefined {
  if (before.count < BASELINE_GAPS_MIN || now.count < 1) return undefined;
  if (!Number.isFinite(now.medianMs) || !Number.isFinite(before.medianMs)) return undefined;
  // The variance of a median is pi/2 that of a mean.
  const variance = spreadOf(before) ** 2 * (1 / now.count + 1 / before.count) * (Math.PI / 2);
  const slow = Math.ceil(now.count / 2);
  const growth = logMs(now.medianMs) - logMs(before.medianMs);
  const outliers = Math.min(
    OUTLIER_TAIL.most,
    OUTLIER_TAIL.share * Math.exp(-OUTLIER_TAIL.power * growth),
  );
  return {
    ends,
    beforeMs: before.medianMs,
    nowMs: now.medianMs,
    growth,
    error: Math.sqrt(variance),
    // Choosing which half is slow: at most 2^n ways, each with probability share^slow. In logarithms, as
    // a busy edge has thousands of gaps.
    zMax: zOfP(Math.exp(Math.min(0, now.count * Math.LN2 + slow * Math.log(outliers)))),
  };
}

function gapsBetween(current: LogSummary, baseline: LogSummary): Gap[] {
  const found: (Gap | undefined)[] = [];
  for (const [key, now] of current.paths?.edges ?? []) {
    const before = baseline.paths?.edges.get(key);
    if (before !== undefined && now.from !== now.to) {
      found.push(gapOf([now.from, now.to], now, before));
    }
  }
  for (const [key, now] of current.paths?.transitions ?? []) {
    const before = baseline.paths?.transitions.get(key);
    if (before === undefined) continue;
    const counted = (row: typeof now): Gaps => ({ ...row, count: row.gaps });
    found.push(gapOf([now.service, now.service], counted(now), counted(before)));
  }
  return found.filter((gap) => gap !== undefined);
}

/** How slow a service is in one respect: towards its neighbours, or inside. */
interface ServiceDelay {
  readonly service: string;
  /** The slow gaps it explains, surest first. */
  readonly slow: readonly SlowGap[];
  readonly score: number;
}

interface SlowGap extends Gap {
  readonly z: number;
}

/** Every gap with its deviation; what moves all gaps alike (a busier cluster) is taken out. */
function rated(gaps: readonly Gap[]): SlowGap[] {
  const growths = gaps.map((gap) => gap.growth);
  const enough = gaps.length >= PEERS_MIN;
  const drift = enough ? Math.max(0, median(growths)) : 0;
  const noise = Math.max(NOISE_MIN, enough ? scaledMad(growths) : 0);
  return gaps.map((gap) => {
    const error = Math.hypot(gap.error, noise);
    return { ...gap, z: Math.min((gap.growth - drift) / error, gap.zMax) };
  });
}

function isSlow({ z, nowMs, beforeMs }: SlowGap): boolean {
  return z >= SLOW_Z && nowMs - beforeMs >= DIFFERENCE_MIN_MS;
}

/** Coverage times the root of the hit ratio: sure slow gaps, discounted for gaps that stayed fast. */
function suspicion(own: readonly SlowGap[], open: ReadonlySet<SlowGap>): number {
  const slow = own.filter(isSlow);
  if (slow.length === 0) return 0;
  const covered = Math.hypot(...slow.filter((gap) => open.has(gap)).map((gap) => gap.z));
  return covered * Math.sqrt(slow.length / own.length);
}

/** Greedy cover: the service that explains most takes its gaps, the rest explain what is left. */
function explain(gaps: readonly Gap[]): ServiceDelay[] {
  const ofService = new Map<string, SlowGap[]>();
  const open = new Set<SlowGap>();
  for (const gap of rated(gaps)) {
    if (isSlow(gap)) open.add(gap);
    for (const service of new Set(gap.ends)) append(ofService, service, gap);
  }
  const found: ServiceDelay[] = [];
  while (open.size > 0) {
    const ranked = [...ofService]
      .map(([service, own]) => ({ service, own, score: suspicion(own, open) }))
      .sort((a, b) => b.score - a.score);
    const most = ranked[0]?.score ?? 0;
    if (most <= 0) break;
    // Two ends of one edge may fit alike; then both are told, and the call graph decides later.
    const tied = ranked.filter(({ score }) => score >= TIED_SHARE * most);
    const slowOf = (own: readonly SlowGap[]) => own.filter((gap) => open.has(gap));
    const taken = new Set(slowOf(ranked[0]?.own ?? []));
    for (const { service, own, score } of tied) {
      const slow = slowOf(own).sort((a, b) => b.z - a.z);
      if (slow.some((gap) => taken.has(gap))) found.push({ service, slow, score });
    }
    for (const { slow } of found) for (const gap of slow) open.delete(gap);
  }
  return found;
}

/**
 * One finding per service that is slow towards its neighbours, one per service that is slow inside, each
 * with its slowest gap as the example.
 */
export function detectDelays(current: LogSummary, baseline: LogSummary): Draft[] {
  const gaps = gapsBetween(current, baseline);
  const inside = gaps.filter(({ ends }) => ends[0] === ends[1]);
  const between = gaps.filter(({ ends }) => ends[0] !== ends[1]);
  const drafts: Draft[] = [];
  for (const { service, slow, score: deviation } of [...explain(between), ...explain(inside)]) {
    const score = commonScore(deviation);
    const slowest = slow[0];
    if (score < SUPPORT_MIN || slowest === undefined) continue;
    const [from, to] = slowest.ends;
    const where = from === to ? `inside ${service}` : `between ${from} and ${to}`;
    const peer = from === service ? to : from;
    const summary = `Requests wait ${short(slowest.nowMs)} ms ${where}, normally ${short(slowest.beforeMs)} ms.`;
    drafts.push({
      kind: "edge_delay",
      service,
      resource: from === to ? "latency" : "network",
      summary: clip(summary, 1_000),
      score,
      // A doubling at least: many gaps make a small difference sure, but not important.
      anomalous: score >= ANOMALOUS_MIN && slowest.growth >= Math.LN2,
      direction: "up",
      value: slowest.nowMs,
      baseline: slowest.beforeMs,
      unit: "ms",
      ...(peer === service ? {} : { peer }),
    });
  }
  return drafts;
}
