/** What the tests of metrics share: a series ready to be tested, and the words for what it shows. */
import type { Series } from "../model.ts";
import type { MetricTraits } from "./catalogue.ts";
import { clip, type Draft, short } from "./draft.ts";
import type { Split } from "./samples.ts";

/** A series with enough of a past and something in the window. */
export interface Tested extends Split {
  readonly series: Series;
  readonly traits: MetricTraits;
}

/** The least score worth a finding: it supports others. */
export const SUPPORT_MIN = 2;
/** Services needed to tell a movement of all from one of their own. */
export const PEERS_MIN = 8;

interface Measured {
  readonly value: number;
  readonly centre: number;
  readonly recent?: number;
}

/** The finding's fields that say what was measured. */
export function deviationDraft(
  { series, traits }: Tested,
  { value, centre, recent }: Measured,
  verdict: Pick<Draft, "score" | "anomalous" | "direction">,
): Draft {
  return {
    kind: "metric_deviation",
    service: series.service,
    resource: traits.resource,
    summary: clip(words({ series, traits }, value, centre), 1_000),
    ...verdict,
    value,
    baseline: centre,
    ...(recent === undefined ? {} : { recent }),
    unit: clip(series.unit, 40),
    metric: clip(series.metric, 200),
  };
}

/** `CPU at 100 % of its limit, normally 1 %.` or `25 threads waiting for a connection, normally 0.` */
function words(
  { series, traits }: Pick<Tested, "series" | "traits">,
  value: number,
  centre: number,
): string {
  if (traits.counts === true) return `${short(value)} ${traits.title}, normally ${short(centre)}.`;
  const title = traits.title === "" ? series.metric : traits.title;
  const share = traits.share !== undefined && series.unit === "%" ? ` ${traits.share}` : "";
  return `${title} at ${short(value)} ${series.unit}${share}, normally ${short(centre)} ${series.unit}.`;
}
