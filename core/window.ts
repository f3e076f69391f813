/** Windows of time: half-open intervals [start, end), in milliseconds UTC. */
import { PetrelError } from "./errors.ts";

export interface Window {
  readonly startMs: number;
  readonly endMs: number;
}

const UNIT_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads `90s`, `5m`, `1h30m`, `250ms` into milliseconds. Throws USAGE naming `what`. */
export function parseDurationMs(text: string, what = "duration"): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  const ms = parts.reduce((sum, part) => sum + Number(part[1]) * (UNIT_MS[part[2] ?? ""] ?? 0), 0);
  const isWhole = parts.length > 0 && parts.map((part) => part[0]).join("") === text;
  if (isWhole && Number.isFinite(ms)) return ms;
  const shown = text.slice(0, 100);
  throw new PetrelError("USAGE", `${what}: "${shown}" is not a duration such as 30s, 5m or 1h`, {
    path: what,
  });
}

const INSTANT = /^(\d{4}-\d\d-\d\d)[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/;

/** Reads an ISO 8601 instant, or milliseconds since the epoch. Throws USAGE naming `what`. */
export function parseInstantMs(text: string, what = "time"): number {
  if (/^\d{13}$/.test(text)) return Number(text);
  const day = INSTANT.exec(text)?.[1];
  const ms = Date.parse(text);
  if (day !== undefined && Number.isFinite(ms) && isDay(day)) return ms;
  const shown = text.slice(0, 100);
  throw new PetrelError(
    "USAGE",
    `${what}: "${shown}" is not a time with a zone, such as 2026-01-29T08:45:00Z`,
    { path: what },
  );
}

/** `Date.parse` reads the 30th of February as the 2nd of March. */
function isDay(day: string): boolean {
  const ms = Date.parse(day);
  return Number.isFinite(ms) && new Date(ms).toISOString().startsWith(day);
}

/** The window of length `everyMs` that ends at or before `nowMs`, aligned to the epoch. */
export function lastCompleteWindow(nowMs: number, everyMs: number): Window {
  const endMs = Math.floor(nowMs / everyMs) * everyMs;
  return { startMs: endMs - everyMs, endMs };
}

/** A window as a KV key token, the same on every host: `20230129T084300Z-300s`. Whole milliseconds. */
export function windowId(window: Window): string {
  const start = new Date(window.startMs).toISOString().replace(/[-:]|\.000/g, "");
  return `${start}-${(window.endMs - window.startMs) / 1000}s`.replaceAll(".", "_");
}

/** `08:43–08:48`, with seconds when they matter; UTC. */
export function formatWindow(window: Window): string {
  const time = (ms: number) => {
    const iso = new Date(ms).toISOString().slice(11, 19);
    return iso.endsWith(":00") ? iso.slice(0, 5) : iso;
  };
  return `${time(window.startMs)}–${time(window.endMs)}`;
}

/** The window as ISO strings, the form every envelope carries. */
export function windowToJson(window: Window): { start: string; end: string } {
  return {
    start: new Date(window.startMs).toISOString(),
    end: new Date(window.endMs).toISOString(),
  };
}
