/** Notices as JSON lines: one object a line, whole. Never reads back what it wrote. */
import { closeSync, openSync, writeSync } from "node:fs";
import { messageOf, PetrelError } from "../../core/mod.ts";
import type { Notice } from "../notice.ts";
import type { AlarmSink } from "../sink.ts";

export interface JsonlOptions {
  /** Takes one line with its end. Throws when it cannot. */
  readonly write: (line: string) => void;
}

export function jsonlSink({ write }: JsonlOptions): AlarmSink {
  return {
    name: "jsonl",
    minSeverity: "info",
    isIdempotent: false,
    timeoutMs: 10_000,
    send: async (notice, signal) => {
      signal.throwIfAborted();
      write(jsonLine(notice));
    },
  };
}

export function jsonLine(notice: Notice): string {
  return `${JSON.stringify(notice)}\n`;
}

/**
 * Appends one line to a file in one write, so that processes that share the file never mix their lines.
 * Throws UNAVAILABLE naming the file; a line that was only begun (a full disk) is ended first.
 */
export function appendLine(file: string, line: string): void {
  const bytes = Buffer.from(line);
  let fd: number | undefined;
  try {
    fd = openSync(file, "a");
    const written = writeSync(fd, bytes);
    if (written === bytes.length) return;
    writeSync(fd, "\n");
    throw new Error(`only ${written} of ${bytes.length} bytes had room`);
  } catch (error) {
    const text = `jsonl: cannot append to ${file}: ${messageOf(error, 200)}`;
    throw new PetrelError("UNAVAILABLE", text, { system: "jsonl", file }, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
