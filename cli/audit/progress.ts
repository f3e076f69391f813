/** How far long work is: one line on standard error, on a terminal alone. */
import { count } from "../render/text.ts";

const EVERY = 2_000;

export interface Progress {
  /** Told often; shown now and then. */
  readonly at: (done: number) => void;
  /** Takes the line away. */
  readonly end: () => void;
}

export function progress(what: string): Progress {
  if (!process.stderr.isTTY) return { at: () => {}, end: () => {} };
  let isShown = false;
  return {
    at: (done) => {
      if (done % EVERY !== 0) return;
      isShown = true;
      process.stderr.write(`\r${what} ${count(done)}`);
    },
    end: () => {
      if (isShown) process.stderr.write("\r\x1b[K");
    },
  };
}
