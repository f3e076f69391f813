/** Counts what was answered to PetShop's issues and to its normal data. It asks nothing and reads nothing. */
import type { Cause } from "../../streams/mod.ts";
import type { CaseOutcome, Figures } from "../report.ts";
import type { Target } from "./target.ts";

const SERVICES_UNIT = 50;

export interface IssueResult {
  readonly name: string;
  readonly target: Target;
  readonly causes: readonly Cause[];
}

export interface NormalResult {
  /** Runs of samples that stood as an issue's window. */
  readonly windows: number;
  /** Windows for which a cause was named. */
  readonly alarmed: number;
  readonly days: number;
  readonly services: number;
}

const rankOf = ({ target, causes }: IssueResult) =>
  causes.findIndex((cause) => cause.service === target.rootCause) + 1;

/** Shares of the issues whose root cause is named first, or among the first three. */
export function hits(issues: readonly IssueResult[]): Figures {
  const within = (k: number) => share(issues, (issue) => rankOf(issue) > 0 && rankOf(issue) <= k);
  return { top1: within(1), top3: within(3) };
}

/** The figures of some issues and of some normal data, as far as there are any. */
export function figuresOf(
  issues: readonly IssueResult[],
  normal: readonly NormalResult[],
): Figures {
  const figures: Record<string, number> = {};
  for (const metric of ["latency", "availability"] as const) {
    const own = issues.filter(({ target }) => target.metric === metric);
    if (own.length === 0) continue;
    const { top1, top3 } = hits(own);
    figures[`top1_${metric}`] = top1 ?? 0;
    figures[`top3_${metric}`] = top3 ?? 0;
  }
  const total = (what: keyof NormalResult) => normal.reduce((sum, one) => sum + one[what], 0);
  if (total("windows") === 0) return figures;
  const specificity = 1 - total("alarmed") / total("windows");
  const serviceDays = normal.reduce((sum, { days, services }) => sum + days * services, 0);
  return {
    ...figures,
    specificity_latency: specificity,
    specificity_availability: specificity,
    false_alarms_per_day_per_50_services: (SERVICES_UNIT * total("alarmed")) / serviceDays,
  };
}

function share<T>(items: readonly T[], is: (item: T) => boolean): number {
  return items.length === 0 ? 0 : items.filter(is).length / items.length;
}

/** The issue's line in the table for people. */
export function outcomeOf(issue: IssueResult): CaseOutcome {
  const [first] = issue.causes;
  const rank = rankOf(issue);
  const place = rank > 1 ? `, the right one ${rank}` : "";
  return {
    name: `${issue.name} ${issue.target.metric}`,
    right: rank === 1,
    expected: issue.target.rootCause,
    answered: first ? `${first.service} · ${first.mechanism}${place}` : "nothing",
  };
}
