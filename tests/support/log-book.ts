/** A log that a test reads, to learn that something happened which shows nowhere else. */
import { type Logger, makeLogger } from "../../core/mod.ts";

export interface LogBook {
  readonly log: Logger;
  /** How often `event` was written. */
  readonly count: (event: string) => number;
}

export function openLogBook(): LogBook {
  const counts = new Map<string, number>();
  const write = (line: string) => {
    const { event }: { event: string } = JSON.parse(line);
    counts.set(event, (counts.get(event) ?? 0) + 1);
  };
  return {
    log: makeLogger({ level: "debug", pretty: false, write }),
    count: (event) => counts.get(event) ?? 0,
  };
}
