/**
 * What happens in a run: drawn from the seed and the run's number alone, so that the same two give the
 * same run, whoever runs beside it.
 */
import { randomOf } from "../plan.ts";

/**
 * opened: the kill hits while the first notice is made or sent. resolved: the incident was told, and the
 * kill hits its end. rough: two SRE agents are there and receivers do not take notices for a while.
 */
export const KINDS = ["opened", "resolved", "rough"] as const;
export type Kind = (typeof KINDS)[number];

/**
 * Steps that the parent sees on the wire. `time` is none of them: the kill comes so long after the verdict.
 * `task` is the record with its task's id; `marked` is a delivery noted in the record; `forgotten` is the
 * book without the change.
 */
export const STEPS = [
  "settled",
  "book",
  "words",
  "record",
  "event",
  "task",
  "arrived",
  "answered",
  "marked",
  "forgotten",
] as const;
export type Step = (typeof STEPS)[number];
export type Point = Step | "time";

/** Sinks whose receiver is a server; `jsonl` is a file. */
export const SERVED = ["webhook", "pagerduty", "alertmanager", "slack"] as const;
export type Served = (typeof SERVED)[number];
export const SINKS = [...SERVED, "jsonl"] as const;
export type SinkName = (typeof SINKS)[number];

/** `taken-…`: the receiver takes the notice, and does not say so. */
export const TROUBLES = ["500", "429", "hang", "taken-500", "taken-hang"] as const;
export type Trouble = (typeof TROUBLES)[number];

/** worse: a window in which another service shows it too; quiet: windows that end it. */
export const SEQUELS = ["nothing", "worse", "quiet"] as const;
export type Sequel = (typeof SEQUELS)[number];

export interface Plan {
  readonly nth: number;
  readonly kind: Kind;
  readonly point: Point;
  /** The kill waits for this one of the point's steps, from 1. */
  readonly at: number;
  /** At whose receiver, for `arrived` and `answered`. */
  readonly sink: Served;
  /** Then it waits so long; after the verdict, for `time`. Milliseconds. */
  readonly delayMs: number;
  /** Whether the second SRE agent is there before the kill. */
  readonly isStandby: boolean;
  /** How the receivers answer their first requests. */
  readonly troubles: Readonly<Record<Served, readonly Trouble[]>>;
  /** What follows at once, so that the next change is decided while the first is untold. */
  readonly sequel: Sequel;
  /** The second SRE agent is killed too, so long after the first; milliseconds. */
  readonly killAgainMs: number | undefined;
}

const TIME_MS_MAX = 80;
const DELAY_MS_MAX = 20;
const TROUBLES_MAX = 3;
const KILL_AGAIN_MS_MAX = 4_000;
/** The end of an incident is not explained, and its task is known by then. */
const OF_THE_END = STEPS.filter((step) => step !== "words" && step !== "task");
/** How often a step comes while one notice is told. */
const TIMES: Readonly<Partial<Record<Point, number>>> = { event: 2, marked: SINKS.length };

export function planOf(seed: number, nth: number): Plan {
  const random = randomOf(seed * 10_007 + nth);
  const below = (max: number) => Math.floor(random() * max);
  const pick = <T>(of: readonly T[], otherwise: T): T => of[below(of.length)] ?? otherwise;
  // Every kind in any four runs: the beginning, where most is done, twice.
  const kind = ([...KINDS, "opened"] as const)[nth % 4] ?? "opened";
  const points: readonly Point[] = ["time", "time", ...(kind === "resolved" ? OF_THE_END : STEPS)];
  const point = pick(points, "time");
  const sink = pick(SERVED, "webhook");
  const isAsked = point === "arrived" || point === "answered";
  // Alertmanager is asked what it has, and then told.
  const at = 1 + below(isAsked && sink === "alertmanager" ? 2 : (TIMES[point] ?? 1));
  const delayMs =
    point === "time" ? below(TIME_MS_MAX) : Math.max(0, below(2 * DELAY_MS_MAX) - DELAY_MS_MAX);
  const isStandby = kind === "rough" || random() < 0.5;
  const isRough = kind === "rough";
  const troubled = (): Trouble[] =>
    isRough ? Array.from({ length: below(TROUBLES_MAX + 1) }, () => pick(TROUBLES, "500")) : [];
  const troubles = {
    webhook: troubled(),
    pagerduty: troubled(),
    alertmanager: troubled(),
    slack: troubled(),
  };
  const sequel = isRough ? pick(SEQUELS, "nothing") : "nothing";
  const killAgainMs = isRough && random() < 0.4 ? below(KILL_AGAIN_MS_MAX) : undefined;
  return { nth, kind, point, at, sink, delayMs, isStandby, troubles, sequel, killAgainMs };
}

/** Quiet windows that end an incident. */
export const QUIET_WINDOWS = 2;

/** Whether a window shows the fault: the first does, and the one after it where it gets worse. */
export type Shown = "fault" | "worse" | "quiet";

/** The windows of a run, in order. */
export function windowsOf({ kind, sequel }: Plan): readonly Shown[] {
  const quiet = Array.from({ length: QUIET_WINDOWS }, () => "quiet" as const);
  if (kind === "resolved" || sequel === "quiet") return ["fault", ...quiet];
  return sequel === "worse" ? ["fault", "worse"] : ["fault"];
}

/** The window under whose notice the kill comes. */
export function criticalOf({ kind }: Plan): number {
  return kind === "resolved" ? QUIET_WINDOWS : 0;
}

/** What sinks are told in a run, in order. */
export function toldIn({ kind, sequel }: Plan): readonly ("opened" | "updated" | "resolved")[] {
  if (kind === "resolved" || sequel === "quiet") return ["opened", "resolved"];
  return sequel === "worse" ? ["opened", "updated"] : ["opened"];
}
