/** Moments, windows and lengths of time as people read them: UTC, and said so. */
import { oneLine } from "./text.ts";

/** `2026-01-29 08:43:05Z`; what is no time as it is. */
export function momentWords(text: string): string {
  const ms = Date.parse(text);
  if (!Number.isFinite(ms)) return oneLine(text, 40);
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")}Z`;
}

/** The same to the minute. */
export function minuteWords(text: string): string {
  const words = momentWords(text);
  return words.replace(/(\d\d:\d\d):\d\dZ$/, "$1Z");
}

/** `2026-01-29 08:43Z to 08:48Z`, and the day again where it is another. */
export function windowWords({ start, end }: { start: string; end: string }): string {
  const [from, to] = [minuteWords(start), minuteWords(end)];
  const isSameDay = from.slice(0, 10) === to.slice(0, 10);
  return `${from} to ${isSameDay ? to.slice(11) : to}`;
}

/** `43 min`, `2 h 5 min`, `3 d 4 h`; the two largest units. */
export function lengthWords(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (!(minutes >= 1)) return "less than a minute";
  const [days, hours] = [Math.floor(minutes / 1_440), Math.floor(minutes / 60) % 24];
  const parts =
    days > 0
      ? [`${days} d`, hours > 0 ? `${hours} h` : ""]
      : [hours > 0 ? `${hours} h` : "", minutes % 60 > 0 ? `${minutes % 60} min` : ""];
  return parts.filter(Boolean).join(" ");
}

/** How long ago, by our clock; nothing for what is no time or still to come. */
export function agoMs(text: string, nowMs: number): number | undefined {
  const ms = nowMs - Date.parse(text);
  return ms >= 0 ? ms : undefined;
}
