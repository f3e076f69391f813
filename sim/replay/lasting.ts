/**
 * A recording that lasts: stretches of another one, laid end to end on a time line of its own, so that a
 * fault of three recorded minutes goes on for half an hour and is over afterwards. Every line and sample
 * is a recorded one under another time; nothing is invented. Trace and span ids differ from copy to copy,
 * or one request would be there many times. What a stretch cuts off, such as the end of a request, is
 * missing at every seam.
 */
import type { Window } from "../../core/mod.ts";
import { type SimRow, splunkTime, timeMsOf } from "../splunk/rows.ts";
import { recutMetrics } from "./lasting-metrics.ts";
import type { LogQuery, Recording } from "./recording.ts";

/** A part of the recording, and when it begins on the new time line. */
export interface Stretch {
  readonly atMs: number;
  readonly from: Window;
}

export interface LastingParts {
  /** In order of time, none over another. Where there is none, nothing was logged. */
  readonly logs: readonly Stretch[];
  /** As `logs`. Counters go on by what they rose in the recording. */
  readonly metrics: readonly Stretch[];
}

/** The recording on its new time line; it has no windows of its own. */
export function lastingRecording(recording: Recording, { logs, metrics }: LastingParts): Recording {
  return {
    name: `${recording.name}-lasting`,
    windows: [],
    logRows: (query) => rowsOf(recording, logs, query),
    openMetrics: () => recutMetrics(recording.openMetrics(), metrics),
  };
}

async function* rowsOf(
  recording: Recording,
  stretches: readonly Stretch[],
  query: LogQuery,
): AsyncGenerator<SimRow[]> {
  for (const [copy, { atMs, from }] of [...stretches.entries()].reverse()) {
    const shiftMs = atMs - from.startMs;
    const earliestMs = Math.max(from.startMs, query.earliestMs - shiftMs);
    const latestMs = Math.min(from.endMs, query.latestMs - shiftMs);
    if (earliestMs >= latestMs) continue;
    for await (const batch of recording.logRows({ ...query, earliestMs, latestMs })) {
      yield batch.map((row) => shifted(row, shiftMs, copy));
    }
  }
}

/** The row as it would have been written `shiftMs` later, by another request. */
function shifted(row: SimRow, shiftMs: number, copy: number): SimRow {
  const raw = typeof row["_raw"] === "string" ? row["_raw"] : "";
  return {
    ...row,
    _time: splunkTime(timeMsOf(row) + shiftMs),
    _raw: withClock(raw, shiftMs).replace(IDS, (id) => otherId(id, copy)),
  };
}

const DATE = /^(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d[.,]\d{3})/;
const CLOCK = /^(\d\d):(\d\d):(\d\d)\.(\d{3})/;
const DAY_MS = 86_400_000;

/** The time a line begins with, in its own zone and form. */
function withClock(raw: string, shiftMs: number): string {
  const [text, day, between, clock = ""] = DATE.exec(raw) ?? [];
  if (text !== undefined) {
    const timeMs = Date.parse(`${day}T${clock.replace(",", ".")}Z`) + shiftMs;
    const moved = new Date(timeMs).toISOString().slice(0, 23);
    const own = between === " " ? moved.replace("T", " ") : moved;
    return (clock.includes(",") ? own.replace(".", ",") : own) + raw.slice(text.length);
  }
  const [time, hours, minutes, seconds, millis] = CLOCK.exec(raw) ?? [];
  if (time === undefined) return raw;
  const ofDayMs = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000;
  const movedMs = (((ofDayMs + Number(millis) + shiftMs) % DAY_MS) + DAY_MS) % DAY_MS;
  return new Date(movedMs).toISOString().slice(11, 23) + raw.slice(time.length);
}

/** Trace ids (W3C Trace Context: 32 hexadecimal digits) and span ids (16). */
const IDS = /\b[0-9a-f]{16}(?:[0-9a-f]{16})?\b/g;
const ID_HEAD = 4;

/** The same id for the same id and copy, another one in every other copy. */
function otherId(id: string, copy: number): string {
  const head = (Number.parseInt(id.slice(0, ID_HEAD), 16) ^ copy) & 0xffff;
  return head.toString(16).padStart(ID_HEAD, "0") + id.slice(ID_HEAD);
}
