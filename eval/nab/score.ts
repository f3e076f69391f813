/**
 * The score of the Numenta Anomaly Benchmark, computed as its own scorer does (Lavin and Ahmad 2015,
 * "Evaluating real-time anomaly detection algorithms"). It knows of scores and labelled windows only,
 * never of a detector or of files.
 *
 * A detection is a row whose anomaly score reaches the threshold, and there is one threshold for all
 * series of the set. In a labelled window only the best (the earliest) detection counts; outside, every
 * one costs, less so shortly after a window. Rows of the probation at the start count nothing.
 */

/** What a right or a wrong answer is worth, as in `config/profiles.json`. */
export interface Profile {
  readonly tpWeight: number;
  readonly fpWeight: number;
  readonly fnWeight: number;
}

/** Row numbers of one labelled window, both included. */
export interface RowWindow {
  readonly first: number;
  readonly last: number;
}

/** One series with its detector's answers. `windows` are in time order and do not overlap. */
export interface ScoredSeries {
  readonly scores: ArrayLike<number>;
  readonly windows: readonly RowWindow[];
}

/** One set of series at one threshold. */
export interface SetScore {
  /** 100 for every window found at its start, 0 for a detector that never says anything. */
  readonly normalised: number;
  readonly raw: number;
  readonly windows: number;
  readonly found: number;
  /** Detections outside every window. */
  readonly falseAlarms: number;
}

const PROBATION_SHARE = 0.15;
const PROBATION_ROWS_MAX = 0.15 * 5_000;

/** Rows at the start of a series of `length` rows that count nothing. */
export function probationRows(length: number): number {
  return Math.floor(Math.min(PROBATION_SHARE * length, PROBATION_ROWS_MAX));
}

/** 1 far ahead of position 0, -1 far behind; a position is in widths of a window. */
export function scaledSigmoid(position: number): number {
  return position > 3 ? -1 : 2 / (1 + Math.exp(5 * position)) - 1;
}

/** One row that counts: its score, its window (-1 outside of all), and what a detection there is worth. */
interface Row {
  readonly score: number;
  readonly window: number;
  readonly worth: number;
}

/** A set of series laid out for scoring: all rows that count, highest score first. */
export interface Ranking {
  readonly rows: readonly Row[];
  readonly windows: number;
}

/** Lays out a set. A score that is no number counts as 0. */
export function rank(set: readonly ScoredSeries[]): Ranking {
  const rows: Row[] = [];
  let windows = 0;
  for (const series of set) {
    addRows(series, windows, rows);
    windows += series.windows.length;
  }
  rows.sort((a, b) => b.score - a.score);
  return { rows, windows };
}

function addRows(series: ScoredSeries, windowBase: number, rows: Row[]): void {
  const length = series.scores.length;
  const worthMax = scaledSigmoid(-1);
  let next = 0;
  for (let i = 0; i < length; i++) {
    while (i > (series.windows[next]?.last ?? Number.POSITIVE_INFINITY)) next++;
    if (i < probationRows(length)) continue;
    const score = series.scores[i] ?? 0;
    const window = series.windows[next];
    const isInside = window !== undefined && i >= window.first;
    const worth = isInside
      ? scaledSigmoid(-(window.last - i + 1) / (window.last - window.first + 1)) / worthMax
      : costAfter(series.windows[next - 1], i);
    rows.push({
      score: Number.isFinite(score) ? score : 0,
      window: isInside ? windowBase + next : -1,
      worth,
    });
  }
}

/** What a detection outside is worth, in shares of the weight of a false alarm: -1 to 0. */
function costAfter(previous: RowWindow | undefined, row: number): number {
  if (previous === undefined) return -1;
  const width = Math.max(1, previous.last - previous.first);
  return scaledSigmoid((row - previous.last) / width);
}

/** Walks down the scores and yields the set's score at each distinct threshold. */
function* walk(ranking: Ranking, profile: Profile): Generator<{ threshold: number } & SetScore> {
  const best = new Float64Array(ranking.windows).fill(-profile.fnWeight);
  const state = { raw: -profile.fnWeight * ranking.windows, found: 0, falseAlarms: 0 };
  const seen = new Set<number>();
  const { rows } = ranking;
  yield { threshold: Number.POSITIVE_INFINITY, ...setScore(ranking, profile, state) };
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i];
    if (row === undefined) return;
    if (row.window < 0) {
      state.raw += row.worth * profile.fpWeight;
      state.falseAlarms++;
    } else {
      const gained = row.worth * profile.tpWeight - (best[row.window] ?? 0);
      if (gained > 0) {
        best[row.window] = row.worth * profile.tpWeight;
        state.raw += gained;
      }
      seen.add(row.window);
      state.found = seen.size;
    }
    if (rows[i + 1]?.score === row.score) continue;
    yield { threshold: row.score, ...setScore(ranking, profile, state) };
  }
}

function setScore(
  ranking: Ranking,
  profile: Profile,
  state: { readonly raw: number; readonly found: number; readonly falseAlarms: number },
): SetScore {
  const none = -profile.fnWeight * ranking.windows;
  const all = profile.tpWeight * ranking.windows;
  // A set without windows has nothing to find: 100, less what its false alarms cost.
  const normalised =
    ranking.windows === 0 ? 100 + 100 * state.raw : (100 * (state.raw - none)) / (all - none);
  return { normalised, windows: ranking.windows, ...state };
}

/** The best threshold for a set, found by the sweep over all of them. Ties go to the higher one. */
export function bestThreshold(ranking: Ranking, profile: Profile): number {
  let best = { threshold: Number.POSITIVE_INFINITY, raw: Number.NEGATIVE_INFINITY };
  for (const { threshold, raw } of walk(ranking, profile)) {
    if (raw > best.raw) best = { threshold, raw };
  }
  return best.threshold;
}

/** The set's score when a row counts as a detection from `threshold` on. */
export function scoreAt(ranking: Ranking, profile: Profile, threshold: number): SetScore {
  let last: SetScore | undefined;
  for (const step of walk(ranking, profile)) {
    if (step.threshold < threshold) break;
    last = step;
  }
  if (last !== undefined) return last;
  return setScore(ranking, profile, { raw: 0, found: 0, falseAlarms: 0 });
}
