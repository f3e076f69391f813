/** Findings from series whose level has to last to mean anything; the test itself is in sustained.ts. */
import { median } from "../stats.ts";
import { surprise } from "./chance.ts";
import type { Draft } from "./draft.ts";
import { areEnough } from "./exposure.ts";
import { type Lasting, lastingOf } from "./sustained.ts";
import { deviationDraft, PEERS_MIN, SUPPORT_MIN, type Tested } from "./tested.ts";

/** Less than this is no anomaly, however steady the series was: a rise of a tenth. */
const GROWTH_MIN = Math.log(1.1);

interface Level {
  readonly tested: Tested;
  readonly lasting: Lasting;
}

/** `alarm`: the p from which on a service's series alarms. */
export function lastingDrafts(
  tested: readonly Tested[],
  alarm: (service: string) => number,
): Draft[] {
  const levels = tested.flatMap((one) => {
    const lasting =
      one.traits.test === "lasting" ? lastingOf(one, one.traits.floor.absolute) : undefined;
    return lasting === undefined ? [] : [{ tested: one, lasting }];
  });
  const byMetric = Map.groupBy(levels, (level) => level.tested.series.metric);
  return [...byMetric.values()].flatMap((peers) => {
    const drift = driftOf(peers);
    return peers.flatMap((level) => draftOf(level, drift, alarm(level.tested.series.service)));
  });
}

/** The growth that most services share, on the log scale; a busier day is nobody's fault. */
function driftOf(peers: readonly Level[]): number {
  if (new Set(peers.map(({ tested }) => tested.series.service)).size < PEERS_MIN) return 0;
  return Math.max(0, median(peers.map(({ lasting }) => lasting.growth)));
}

function draftOf({ tested, lasting }: Level, drift: number, alarm: number): Draft[] {
  if (lasting.growth - drift < GROWTH_MIN) return [];
  const p = lasting.p(drift);
  const score = surprise(p, alarm);
  if (score < SUPPORT_MIN) return [];
  const anomalous = p <= alarm && areEnough(tested.now.requests);
  return [deviationDraft(tested, lasting, { score, anomalous, direction: "up" })];
}
