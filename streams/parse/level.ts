/** Names of severities, as the usual loggers write them, to the seven levels. It never guesses. */
import type { Level } from "../model.ts";

const LEVELS = new Map<string, Level>(
  Object.entries({
    TRACE: "TRACE",
    FINEST: "TRACE",
    FINER: "TRACE",
    DEBUG: "DEBUG",
    FINE: "DEBUG",
    INFO: "INFO",
    INFORMATION: "INFO",
    NOTICE: "INFO",
    WARN: "WARN",
    WARNING: "WARN",
    ERROR: "ERROR",
    ERR: "ERROR",
    SEVERE: "ERROR",
    FATAL: "FATAL",
    CRITICAL: "FATAL",
    EMERGENCY: "FATAL",
  }),
);

/** The level of a word in any case; `undefined` when it is none. */
export function levelOf(word: string | undefined): Level | undefined {
  if (word === undefined || word.length > 11) return undefined;
  return LEVELS.get(word) ?? LEVELS.get(word.toUpperCase());
}
