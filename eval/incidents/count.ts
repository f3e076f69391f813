/** What a sink received of one lasting fault, counted against what people can live with. Pure. */
import type { Notice } from "../../alarms/mod.ts";
import type { Figures } from "../report.ts";
import type { Episode } from "./episodes.ts";
import type { Watched } from "./lab.ts";

/** One window of an episode, and what came of it. */
export interface Seen extends Watched {
  /** From 0, the fault's first; the fault-free ones go on counting. */
  readonly at: number;
  readonly isFaulty: boolean;
}

export interface Told {
  readonly episode: Episode;
  /** Notices that say that something is wrong: opened, or open again. */
  readonly alarms: readonly { readonly at: number; readonly notice: Notice }[];
  /** Whether one of them is about a fault, while the fault lasts. */
  readonly isAlarmed: boolean;
  readonly updates: number;
  readonly resolvedEarly: number;
  readonly resolvedAfter: number;
  readonly llmCalls: number;
  /** In windows whose verdict is that they are quiet. */
  readonly llmCallsQuiet: number;
  /** Most calls of one window, for each notice that it brought. */
  readonly llmCallsPerChange: number;
}

export function count(episode: Episode, seen: readonly Seen[]): Told {
  const told = seen.flatMap(({ at, isFaulty, notices }) =>
    notices.map((notice) => ({ at, isFaulty, notice })),
  );
  const alarms = told.filter(({ notice }) => isAlarm(notice));
  const resolved = told.filter(({ notice }) => notice.change === "resolved");
  const sum = (some: readonly Seen[]) => some.reduce((calls, one) => calls + one.llmCalls, 0);
  return {
    episode,
    alarms,
    isAlarmed: alarms.some(({ isFaulty, notice }) => isFaulty && notice.kind === "fault"),
    updates: told.filter(({ notice }) => notice.change === "updated").length,
    resolvedEarly: resolved.filter(({ isFaulty }) => isFaulty).length,
    resolvedAfter: resolved.filter(({ isFaulty }) => !isFaulty).length,
    llmCalls: sum(seen),
    llmCallsQuiet: sum(seen.filter(({ verdict }) => verdict.outcome === "quiet")),
    llmCallsPerChange: Math.max(
      0,
      ...seen.map(({ llmCalls, notices }) => llmCalls / Math.max(1, notices.length)),
    ),
  };
}

function isAlarm({ change }: Notice): boolean {
  return change === "opened" || change === "reopened";
}

/** One alarm, told while the fault lasted. */
export function isOne({ isAlarmed, alarms }: Told): boolean {
  return isAlarmed && alarms.length === 1;
}

/** Over once, when the fault was. */
export function isResolved({ isAlarmed, resolvedEarly, resolvedAfter }: Told): boolean {
  return isAlarmed && resolvedEarly === 0 && resolvedAfter === 1;
}

/** Whether people were told as they should be. A fault that raised no alarm was not. */
export function isRight(told: Told): boolean {
  return isOne(told) && isResolved(told);
}

export function figuresOf(all: readonly Told[]): Figures {
  const alarmed = all.filter(({ isAlarmed }) => isAlarmed);
  const total = (of: (told: Told) => number) => all.reduce((sum, told) => sum + of(told), 0);
  return {
    faults: all.length,
    alarmed: alarmed.length,
    one_alarm: alarmed.filter(isOne).length,
    doubled: total(({ alarms }) => Math.max(0, alarms.length - 1)),
    named: alarmed.filter(isNamed).length,
    resolved: alarmed.filter(isResolved).length,
    resolved_early: total(({ resolvedEarly }) => resolvedEarly),
    updates: total(({ updates }) => updates),
    llm_calls: total(({ llmCalls }) => llmCalls),
    llm_calls_per_change_max: Math.max(0, ...all.map((told) => told.llmCallsPerChange)),
    llm_calls_quiet_windows: total(({ llmCallsQuiet }) => llmCallsQuiet),
  };
}

/** Whether the first alarm names the service in which the fault was injected. */
function isNamed({ alarms, episode }: Told): boolean {
  return alarms.find(({ notice }) => notice.kind === "fault")?.notice.service === episode.service;
}

/** `1 alarm (opened), 2 updates, resolved once in window 13`. */
export function wordsOf(told: Told): string {
  const { alarms, updates, resolvedEarly, resolvedAfter } = told;
  if (alarms.length === 0) return "not alarmed";
  const each = alarms.map(({ at, notice: { change, kind, service } }) => {
    const what = kind === "fault" ? service : `${kind}: ${service}`;
    return `${change}${at === 0 ? "" : ` in window ${at}`} ${what}`;
  });
  return [
    ...each,
    ...(updates > 0 ? [`${updates} updated`] : []),
    ...(resolvedEarly > 0 ? [`${resolvedEarly} resolved while it lasted`] : []),
    resolvedAfter === 1 ? "resolved" : `${resolvedAfter} times resolved`,
  ].join(", ");
}
