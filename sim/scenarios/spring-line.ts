/**
 * One event as Spring Boot's default console pattern prints it, with the application's name, the
 * thread and the trace id from the MDC in brackets. Pure text.
 *
 *     2026-03-13 14:20:24.940 ERROR 1 --- [payment-service] [io-8080-exec-12] [<trace>-<span>] c.z.h.p.HikariPool   : …
 */

export type SpringLevel = "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR";

export interface SpringEvent {
  readonly timeMs: number;
  readonly level: SpringLevel;
  readonly app: string;
  readonly thread: string;
  /** `<trace id>-<span id>`; empty outside a request. */
  readonly correlation: string;
  readonly logger: string;
  /** May have more lines: a stack trace belongs to its event. */
  readonly message: string;
}

/** Widths of Spring Boot's pattern: level 5, thread 15, logger 40, correlation 49. */
const THREAD_CHARS = 15;
const LOGGER_CHARS = 40;
const CORRELATION_CHARS = 49;

export function springLine(event: SpringEvent): string {
  const time = new Date(event.timeMs).toISOString().slice(0, 23).replace("T", " ");
  const thread = event.thread.slice(-THREAD_CHARS).padStart(THREAD_CHARS);
  const correlation = event.correlation.padEnd(CORRELATION_CHARS);
  return (
    `${time} ${event.level.padStart(5)} 1 --- [${event.app}] [${thread}] [${correlation}] ` +
    `${event.logger.slice(-LOGGER_CHARS).padEnd(LOGGER_CHARS)} : ${event.message}`
  );
}
