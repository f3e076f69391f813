/** Findings from shares of requests; the test itself is in shares.ts. */
import { surprise } from "./chance.ts";
import type { Draft } from "./draft.ts";
import { shareFall } from "./shares.ts";
import { deviationDraft, SUPPORT_MIN, type Tested } from "./tested.ts";

/** `alarm`: the p from which on a service's series alarms. Series without requests are left out. */
export function shareDrafts(
  tested: readonly Tested[],
  alarm: (service: string) => number,
): Draft[] {
  return tested.flatMap((one) => {
    const fall = one.traits.test === "share" ? shareFall(one) : undefined;
    if (fall === undefined) return [];
    const alarmed = alarm(one.series.service);
    const score = surprise(fall.p, alarmed);
    if (score < SUPPORT_MIN) return [];
    return [deviationDraft(one, fall, { score, anomalous: fall.p <= alarmed, direction: "down" })];
  });
}
