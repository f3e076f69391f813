/**
 * What `alarm` is measured on: a fleet of services, and windows, in each of which the database pool of
 * another service runs empty, so that each one opens an incident. Logs are the seeded volume of
 * sim/ with lines of the fleet in it, metrics are made at a minute's steps. Pure.
 */
import { z } from "zod";
import type { Window } from "../../core/mod.ts";
import { type RowProvider, type SimRow, volumeRows } from "../../sim/mod.ts";

export const Scene = z.object({
  /** Windows that are measured, one fault in each; at most as many as services. */
  windows: z.number().int().min(1),
  /** Rows of a window. */
  lines: z.number().int().min(1),
  services: z.number().int().min(1),
});
export type Scene = z.infer<typeof Scene>;

export const MINUTE_MS = 60_000;
export const WINDOW_MS = 5 * MINUTE_MS;
export const BASELINE_WINDOWS = 3;
/** Metrics before the first window: an hour is looked back for, from the window that warms up. */
const BEFORE_MS = 90 * MINUTE_MS;
const FIRST_MS = Date.UTC(2026, 2, 13, 6);
/** From one fault to the next: a rate still shows one for minutes, and they would be one incident. */
const STRIDE_MS = 2 * WINDOW_MS;

/** The window of a fault. */
export function windowOf(fault: number): Window {
  const startMs = FIRST_MS + fault * STRIDE_MS;
  return { startMs, endMs: startMs + WINDOW_MS };
}

/** So many windows before the first fault: 1 is just before. */
export function windowBefore(back: number): Window {
  const startMs = FIRST_MS - back * WINDOW_MS;
  return { startMs, endMs: startMs + WINDOW_MS };
}

export function metricsSpan({ windows }: Scene): Window {
  return { startMs: FIRST_MS - BEFORE_MS, endMs: FIRST_MS + windows * STRIDE_MS };
}

export const nameOf = (service: number) => `service-${service}`;

/** The service whose pool is empty at an instant, if one's is: that of fault 0, 1 and so on. */
export function brokenAt(timeMs: number): number | undefined {
  const fault = Math.floor((timeMs - FIRST_MS) / STRIDE_MS);
  const { startMs, endMs } = windowOf(fault);
  return fault >= 0 && timeMs >= startMs && timeMs < endMs ? fault : undefined;
}

/** Every so many rows one is of the fleet, and every so many of those tells of the fault. */
const FLEET_EVERY = 50;
const FAULT_EVERY = 4;
const TIME_CHARS = "2026-03-13 14:20:24.940".length;
const ACCESS = "c.e.web.RequestLoggingFilter";
const SQL = "o.h.engine.jdbc.spi.SqlExceptionHelper";

/** Rows of a window, newest first: the volume's, with the fleet's among them. */
export function rowsOf({ lines, services }: Scene): RowProvider {
  const volume = volumeRows({ rows: lines });
  return async function* rows(query) {
    let index = 0;
    const broken = brokenAt(query.earliestMs);
    for await (const batch of volume(query)) {
      yield batch.map((row) => {
        const nth = index++;
        return nth % FLEET_EVERY === 0 ? ofFleet(row, nth / FLEET_EVERY, services, broken) : row;
      });
    }
  };
}

function ofFleet(row: SimRow, nth: number, services: number, broken?: number): SimRow {
  const isFault = broken !== undefined && nth % FAULT_EVERY === 0;
  const service = nameOf(isFault ? broken : nth % services);
  const time = String(row["_time"]).slice(0, TIME_CHARS);
  const [level, logger, message] = isFault
    ? ["ERROR", SQL, "HikariPool-1 - Connection is not available, request timed out after 30004ms."]
    : [" INFO", ACCESS, `POST /api/v1/orders status=200 duration=${5 + (nth % 40)}ms`];
  const pod = `${service}-6d5c7f9b88-x2k4q`;
  return {
    ...row,
    _raw: `${time} ${level} 1 --- [${service}] [http-nio-8080-exec-${nth % 200}] ${logger} : ${message}`,
    host: pod,
    pod,
    container: service,
  };
}
