/** Sentences that several detectors write: how a threshold was broken, and counts with their noun. */
import type { Window } from "../../core/mod.ts";
import type { RuleName } from "../rules.ts";
import { short } from "./draft.ts";

interface Breach {
  readonly value: number;
  readonly threshold: number;
  /** True when `value` is the window's highest sample. */
  readonly peak?: boolean;
}

/** What each rule says, with the numbers as people write them. */
const SENTENCES: Readonly<
  Record<RuleName, (value: string, most: string, window: Window) => string>
> = {
  http500CountMax: (value, most, window) =>
    `${value} HTTP 500 in ${span(window)} (rule: at most ${most}).`,
  http500PerMinuteMax: (value, most) => `${value} HTTP 500 a minute (rule: at most ${most}).`,
  latencyMeanMsMax: (value, most) => `Mean latency ${value} ms (rule: at most ${most} ms).`,
  jvmMemoryPercentMax: (value, most) =>
    `JVM memory at ${value} % of its maximum (rule: at most ${most} %).`,
};

/** A breach as a person reads it. */
export function breachWords(rule: RuleName, breach: Breach, window: Window): string {
  const words = SENTENCES[rule](short(breach.value), short(breach.threshold), window);
  return breach.peak === true && rule === "http500PerMinuteMax" ? `Up to ${words}` : words;
}

/** A window's length: `5 minutes`, or in seconds when it is no whole number of minutes. */
function span({ startMs, endMs }: Window): string {
  const seconds = Math.round((endMs - startMs) / 1_000);
  return seconds % 60 === 0 ? counted(seconds / 60, "minute") : counted(seconds, "second");
}

/** `1 time`, `19 times`. */
export function counted(count: number, noun: string): string {
  return `${short(count)} ${noun}${count === 1 ? "" : "s"}`;
}
