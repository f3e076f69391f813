/**
 * What the agents themselves know, apart from the audit: each process writes a line to a file of its own
 * before it calls, when an answer came, and when a request came in. A line is written by one system call,
 * so that it outlives the process.
 *
 *     ? <trace id>                     a call is about to be made
 *     = <trace id> <frames> <ms>       its answer is here, after so long; 0 frames: one response
 *     + <trace id>                     a request came in
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

export interface TruthLog {
  asked(traceId: string): void;
  answered(traceId: string, frames: number, ms: number): void;
  received(traceId: string): void;
}

/** Begins the log of this process. */
export function openTruthLog(dir: string, name: string): TruthLog {
  const file = openSync(join(dir, `${name}.${process.pid}.truth`), "a");
  return {
    asked: (traceId) => void writeSync(file, `? ${traceId}\n`),
    answered: (traceId, frames, ms) =>
      void writeSync(file, `= ${traceId} ${frames} ${ms.toFixed(1)}\n`),
    received: (traceId) => void writeSync(file, `+ ${traceId}\n`),
  };
}

/** Everything the logs say, as it is known so far. */
export class Truth {
  readonly asked = new Set<string>();
  /** Frames of each answered call by its trace id; 0 for a single response. */
  readonly answered = new Map<string, number>();
  readonly received = new Set<string>();
  /** Envelopes of answered calls. */
  envelopes = 0;
  /** How long the calls took, in the order their answers were read, milliseconds. */
  readonly latencies: number[] = [];
  readonly #dir: string;
  readonly #read = new Map<string, { offset: number; rest: string }>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Reads on in every log. */
  async update(): Promise<void> {
    for (const name of await readdir(this.#dir)) if (name.endsWith(".truth")) this.#readOn(name);
  }

  #readOn(name: string): void {
    const state = this.#read.get(name) ?? { offset: 0, rest: "" };
    this.#read.set(name, state);
    const buffer = Buffer.alloc(256 * 1024);
    const file = openSync(join(this.#dir, name), "r");
    try {
      for (;;) {
        const bytes = readSync(file, buffer, 0, buffer.length, state.offset);
        if (bytes === 0) return;
        state.offset += bytes;
        const lines = (state.rest + buffer.toString("latin1", 0, bytes)).split("\n");
        state.rest = lines.pop() ?? "";
        for (const line of lines) this.#take(line);
      }
    } finally {
      closeSync(file);
    }
  }

  #take(line: string): void {
    const [what, traceId = "", frames = "0", ms] = line.split(" ");
    if (what === "?") this.asked.add(traceId);
    else if (what === "+") this.received.add(traceId);
    else if (what === "=" && !this.answered.has(traceId)) {
      this.answered.set(traceId, Number(frames));
      this.envelopes += 1 + Math.max(1, Number(frames));
      this.latencies.push(Number(ms));
    }
  }
}
