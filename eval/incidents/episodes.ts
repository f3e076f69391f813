/**
 * Faults that last, one after the other on one time line: before each what is normal, then its recorded
 * window again and again, then fault-free windows. Pure; the recording itself is made by sim/.
 */
import type { Window } from "../../core/mod.ts";
import {
  type LastingParts,
  lastingRecording,
  type Recording,
  type Stretch,
} from "../../sim/mod.ts";

/** A recorded fault, all times as recorded. */
export interface RecordedFault {
  readonly name: string;
  /** The type of fault, in the recording's own word. */
  readonly kind: string;
  /** Where it was injected. */
  readonly service: string;
  readonly window: Window;
  /** Up to the fault: its metrics are those before the lasting fault. */
  readonly before: Window;
  /** Logs without the fault: what is normal, and what the windows after the fault are made of. */
  readonly calm: readonly Window[];
  /** Whether the logs of `before` are there, so that the windows before count as normal. */
  readonly hasLogsBefore: boolean;
}

/** A fault on the new time line. */
export interface Episode {
  readonly name: string;
  readonly kind: string;
  readonly service: string;
  /** The first window of the fault, and those that follow. */
  readonly faulty: readonly Window[];
  readonly quiet: readonly Window[];
  /** What is told to be normal for logs; absent where it is the windows before. */
  readonly baseline?: readonly Window[];
}

export interface Line {
  readonly recording: Recording;
  readonly episodes: readonly Episode[];
  /** Where the last episode ends. */
  readonly endMs: number;
}

export interface Lengths {
  /** Windows of the fault, the first one included. */
  readonly faulty: number;
  readonly quiet: number;
}

/** Lays `faults` out from `startMs` on, in their order. */
export function layOut(
  recording: Recording,
  faults: readonly RecordedFault[],
  startMs: number,
  lengths: Lengths,
): Line {
  const logs: Stretch[] = [];
  const metrics: Stretch[] = [];
  const episodes: Episode[] = [];
  let atMs = startMs;
  for (const fault of faults) {
    const { episode, parts, endMs } = layOutOne(fault, atMs, lengths);
    logs.push(...parts.logs);
    metrics.push(...parts.metrics);
    episodes.push(episode);
    atMs = endMs;
  }
  return { recording: lastingRecording(recording, { logs, metrics }), episodes, endMs: atMs };
}

function layOutOne(fault: RecordedFault, startMs: number, lengths: Lengths) {
  const { name, kind, service, window, before, calm, hasLogsBefore } = fault;
  const faultMs = startMs + lengthOf(before);
  const lengthMs = lengthOf(window);
  const faulty = windowsFrom(faultMs, lengthMs, lengths.faulty);
  const overMs = faultMs + lengthMs * lengths.faulty;
  const quiet = windowsFrom(overMs, lengthMs, lengths.quiet);
  const endMs = overMs + lengthMs * lengths.quiet;
  const lastBefore = { startMs: window.startMs - lengthMs, endMs: window.startMs };
  const normal = hasLogsBefore ? [{ atMs: startMs, from: before }] : oneByOne(calm, startMs);
  const repeated = faulty.map((one): Stretch => ({ atMs: one.startMs, from: window }));
  const parts: LastingParts = {
    logs: [...normal, ...repeated, ...filled(calm, overMs, endMs)],
    metrics: [
      { atMs: startMs, from: before },
      ...repeated,
      ...quiet.map((one): Stretch => ({ atMs: one.startMs, from: lastBefore })),
    ],
  };
  const baseline = hasLogsBefore ? {} : { baseline: normal.map(placeOf) };
  return { episode: { name, kind, service, faulty, quiet, ...baseline }, parts, endMs };
}

function lengthOf({ startMs, endMs }: Window): number {
  return endMs - startMs;
}

function windowsFrom(startMs: number, lengthMs: number, count: number): Window[] {
  return Array.from({ length: count }, (_, at) => {
    return { startMs: startMs + at * lengthMs, endMs: startMs + (at + 1) * lengthMs };
  });
}

function placeOf({ atMs, from }: Stretch): Window {
  return { startMs: atMs, endMs: atMs + lengthOf(from) };
}

function oneByOne(parts: readonly Window[], startMs: number): Stretch[] {
  let atMs = startMs;
  return parts.map((from) => {
    const stretch = { atMs, from };
    atMs += lengthOf(from);
    return stretch;
  });
}

/** `parts` in turn, until `endMs`; the last one is cut. */
function filled(parts: readonly Window[], startMs: number, endMs: number): Stretch[] {
  const stretches: Stretch[] = [];
  for (let atMs = startMs; atMs < endMs; ) {
    const from = parts[stretches.length % parts.length];
    if (from === undefined || lengthOf(from) <= 0) return stretches;
    const lengthMs = Math.min(lengthOf(from), endMs - atMs);
    stretches.push({ atMs, from: { startMs: from.startMs, endMs: from.startMs + lengthMs } });
    atMs += lengthMs;
  }
  return stretches;
}
