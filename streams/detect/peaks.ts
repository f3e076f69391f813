/**
 * Findings from the largest of the window's samples.
 *
 * The score is that of BARO's RobustScorer (Pham et al., FSE 2024): distance from the median of the past
 * in interquartile ranges. Two changes: the largest of k samples is compared with the largest of every k
 * samples of the past (a maximum of many is larger than a sample), and what moves all services alike is
 * taken out.
 */
import { commonScore, median, normalOf, scaledMad } from "../stats.ts";
import { tailP, upperTail } from "../tails.ts";
import { append, type Draft } from "./draft.ts";
import { strideOf } from "./persistence.ts";
import { extremeIn, withoutIncidents } from "./samples.ts";
import { deviationDraft, PEERS_MIN, SUPPORT_MIN, type Tested } from "./tested.ts";

/** Interquartile ranges from normal that make a window anomalous by themselves. */
const ANOMALOUS_MIN = 10;
/** From so many samples on a second one must be this far out too, for levels; a count may come at once. */
const SECOND_SAMPLES_MIN = 3;
const SECOND_SHARE = 0.5;
/** Metrics full of accidents never say more than this. */
const SUPPORT_MAX = 3;
/** A past of so many samples is trusted half: right after a start everything is unusual. */
const PRIOR_SAMPLES = 30;
/** The catalogue's floor of a metric is known as well as from so many samples beyond the usual. */
const FLOOR_EXCESSES = 10;

interface Deviation {
  readonly tested: Tested;
  /** In spreads; positive up. */
  readonly size: number;
  /** The same of the second most extreme sample of the window; as `size` where there are too few. */
  readonly second: number;
  readonly value: number;
  readonly centre: number;
}

/** All series that have no test of their own. `alarm`: the p from which on a service's series alarms. */
export function peakDrafts(tested: readonly Tested[], alarm: (service: string) => number): Draft[] {
  const byMetric = new Map<string, Deviation[]>();
  for (const one of tested) {
    if ((one.traits.test ?? "peak") === "peak")
      append(byMetric, one.series.metric, deviationOf(one));
  }
  return [...byMetric.values()].flatMap((peers) => draftsOf(peers, alarm));
}

function deviationOf(tested: Tested): Deviation {
  const { past, now, traits } = tested;
  const own = normalOf(past.values, traits.floor);
  const [top, bottom] = [most(now.values), least(now.values)];
  const falls =
    traits.bad === "down" || (traits.bad === "both" && own.centre - bottom > top - own.centre);
  const normal = normalOf(runExtremes(past.values, now.values.length, falls), traits.floor);
  const value = falls ? bottom : top;
  // A run of extremes varies less than the series; never take less than the series' own spread.
  const spread = Math.max(normal.spread, own.spread);
  const trust = past.values.length / (past.values.length + PRIOR_SAMPLES);
  const sizeOf = (one: number) => (trust * (one - normal.centre)) / spread;
  const second = traits.counts === true ? value : secondOf(now.values, falls);
  return { tested, size: sizeOf(value), second: sizeOf(second), value, centre: normal.centre };
}

/** Probability of a run with such an extreme in a normal window; few samples of past keep it large. */
function chanceOf({ tested, value, centre }: Deviation, sign: 1 | -1): number {
  const { past, now, traits } = tested;
  const { relative, absolute } = traits.floor;
  const floor = Math.max(relative * Math.abs(centre), absolute);
  const signed = past.values.map((one) => sign * one);
  const all = { values: signed, requests: [] };
  const normal = withoutIncidents(all, extremeIn(signed, floor)).values;
  const tail = upperTail(runExtremes(normal, now.values.length, false), floor, FLOOR_EXCESSES);
  return tail === undefined ? 1 : tailP(sign * value, tail);
}

/** As {@link overRuns} would give; every series of a window comes through here, so it is written out. */
function runExtremes(values: readonly number[], length: number, smallest: boolean): number[] {
  const stride = strideOf(length);
  const extremes: number[] = [];
  for (let at = 0; at === 0 || at + length <= values.length; at += stride) {
    let extreme = values[at] ?? Number.NaN;
    for (let next = at + 1; next < at + length && next < values.length; next++) {
      const value = values[next] ?? extreme;
      if (smallest ? value < extreme : value > extreme) extreme = value;
    }
    extremes.push(extreme);
  }
  return extremes;
}

/** A single sample is an accident more often than not; of two there is none to spare. */
function secondOf(values: readonly number[], smallest: boolean): number {
  const sorted = values.toSorted((a, b) => (smallest ? a - b : b - a));
  return (values.length < SECOND_SAMPLES_MIN ? sorted[0] : sorted[1]) ?? Number.NaN;
}

function most(values: readonly number[]): number {
  return values.reduce((extreme, value) => Math.max(extreme, value), Number.NEGATIVE_INFINITY);
}

function least(values: readonly number[]): number {
  return values.reduce((extreme, value) => Math.min(extreme, value), Number.POSITIVE_INFINITY);
}

function draftsOf(deviations: readonly Deviation[], alarm: (service: string) => number): Draft[] {
  const sizes = deviations.map((deviation) => deviation.size);
  const services = new Set(deviations.map(({ tested }) => tested.series.service));
  const peers = services.size >= PEERS_MIN;
  const drift = peers ? median(sizes) : 0;
  const noise = peers ? Math.max(1, scaledMad(sizes)) : 1;
  return deviations.flatMap((deviation) => {
    const { traits } = deviation.tested;
    const size = (deviation.size - drift) / noise;
    const up = size > 0;
    const isBad = traits.bad === "both" || (traits.bad === "up") === up;
    // The series itself must have moved that way, not only the others the other way.
    const ceiling = traits.supportOnly === true ? SUPPORT_MAX : Number.POSITIVE_INFINITY;
    const moved = isBad && up === deviation.size > 0;
    const score = moved ? Math.min(ceiling, commonScore(Math.abs(size))) : 0;
    if (score < SUPPORT_MIN) return [];
    const anomalous =
      traits.supportOnly !== true &&
      score >= ANOMALOUS_MIN &&
      Math.abs(deviation.second) >= SECOND_SHARE * ANOMALOUS_MIN &&
      chanceOf(deviation, up ? 1 : -1) <= alarm(deviation.tested.series.service);
    const direction = up ? "up" : "down";
    return [deviationDraft(deviation.tested, deviation, { score, anomalous, direction })];
  });
}
