/**
 * Tests a share of requests, such as availability: failures among the requests of each sample, against a
 * failure rate learnt from the past with its own scatter. It makes no finding.
 */
import { negativeBinomialP } from "../tails.ts";
import {
  calibratedP,
  lastingCount,
  lastingSurprise,
  overRuns,
  unconfirmedP,
} from "./persistence.ts";
import { type Samples, type Split, withoutIncidents } from "./samples.ts";

export interface ShareTest {
  /** Percent that did not fail, in the window and in the past. */
  readonly value: number;
  readonly centre: number;
  /** Probability of so many failures, or more, in a normal window. */
  readonly p: number;
  /** Failed requests in the window that are more than expected. */
  readonly excess: number;
}

interface Rate {
  /** Failures, with half of one more, over requests. */
  readonly failures: number;
  readonly requests: number;
  /** Variance of a count over its mean; 1 for independent failures, more when they come in bursts. */
  readonly dispersion: number;
}

/** Of the samples, the share with most failures that does not count for the rate: single accidents. */
const ACCIDENT_SHARE = 0.01;
/** The first guess of the rate leaves out as many as an earlier incident may fill. */
const INCIDENT_SHARE = 0.1;
/** A sample of the past that is less likely than this may be part of an incident. */
const EXTREME_P = 1e-3;

const failuresOf = (percent: number, requests: number) =>
  Math.round(((100 - Math.min(100, Math.max(0, percent))) / 100) * requests);

/**
 * Samples in percent of requests that did well. Undefined where requests are not known.
 */
export function shareFall(both: Split): ShareTest | undefined {
  const now = known(both.now);
  const all = known(both.past);
  if (now.values.length === 0 || all.values.length === 0) return undefined;
  const guess = rateOf(all, INCIDENT_SHARE);
  const past = withoutIncidents(
    all,
    (value, requests) => sampleP(value, requests, guess) < EXTREME_P,
  );
  const rate = rateOf(past, ACCIDENT_SHARE);
  const requests = sum(now.requests);
  const failures = sum(now.values.map((value, at) => failuresOf(value, now.requests[at] ?? 0)));
  return {
    value: 100 * (1 - failures / requests),
    centre: 100 * Math.max(0, 1 - (rate.failures - 0.5) / rate.requests),
    p: unconfirmedP(
      calibratedP(
        togetherOf(surprisesOf(now, rate)),
        overRuns(surprisesOf(past, rate), now.values.length, togetherOf),
      ),
      now.values.length,
    ),
    excess: Math.max(0, failures - (requests * rate.failures) / rate.requests),
  };
}

/** -log p of each sample. */
function surprisesOf({ values, requests }: Samples, rate: Rate): number[] {
  return values.map(
    (value, at) => -Math.log(Math.max(1e-300, sampleP(value, requests[at] ?? 0, rate))),
  );
}

/** The surprise of more than half of the samples together, were they independent. */
function togetherOf(surprises: readonly number[]): number {
  const count = lastingCount(surprises.length);
  const least = [...surprises].sort((a, b) => b - a)[count - 1] ?? 0;
  return lastingSurprise(count * least, surprises.length);
}

function sampleP(value: number, requests: number, rate: Rate): number {
  const mean = (requests * rate.failures) / rate.requests;
  // Two sources of doubt: the rate is learnt from few failures, and it changes from sample to sample.
  const size = 1 / (1 / rate.failures + (rate.dispersion - 1) / mean);
  return negativeBinomialP(failuresOf(value, requests), mean, size);
}

function rateOf({ values, requests }: Samples, leftOut: number): Rate {
  const counts = values.map((value, at) => {
    const of = requests[at] ?? 0;
    return { failed: failuresOf(value, of), of };
  });
  counts.sort((a, b) => b.failed / b.of - a.failed / a.of);
  const kept = counts.slice(Math.floor(leftOut * counts.length));
  const failures = sum(kept.map(({ failed }) => failed)) + 0.5;
  const total = sum(kept.map(({ of }) => of));
  const squares = kept.map(({ failed, of }) => {
    const mean = (of * failures) / total;
    return (failed - mean) ** 2 / mean;
  });
  const dispersion = Math.max(1, sum(squares) / Math.max(1, kept.length));
  return { failures, requests: total, dispersion };
}

function known({ values, requests }: Samples): Samples {
  const is = (at: number) => (requests[at] ?? 0) >= 1;
  return {
    values: values.filter((_, at) => is(at)),
    requests: requests.filter((_, at) => is(at)),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
