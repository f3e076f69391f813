/**
 * Progress for people: one line a step; on a terminal the line moves while the step runs.
 * Where it is written to a file or a log, only the steps themselves are.
 */
import type { OnProgress } from "./programs/way.ts";

const REDRAW_MS = 100;

export interface ProgressPrinter {
  /** For one of the things that go on at the same time; they take turns on the line that moves. */
  track(): OnProgress;
  /** Ends the line under way, so that something else may be printed. */
  end(): void;
}

export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export function makeProgressPrinter(
  output: ProgressOutput,
  nowMs: () => number = () => performance.now(),
): ProgressPrinter {
  const isLive = output.isTTY ?? false;
  let drawnMs = Number.NEGATIVE_INFINITY;
  let isOpen = false;
  const end = () => {
    if (isOpen) output.write("\n");
    isOpen = false;
  };
  const track = (): OnProgress => {
    let step = "";
    return (kind, text) => {
      if (kind === "step") {
        end();
        step = text;
        drawnMs = Number.NEGATIVE_INFINITY;
        output.write(isLive ? text : `${text}\n`);
        isOpen = isLive;
        return;
      }
      const now = nowMs();
      if (!isLive || now - drawnMs < REDRAW_MS) return;
      drawnMs = now;
      output.write(`\r\x1b[K${`${step}: ${text}`.slice(0, (output.columns ?? 80) - 1)}`);
      isOpen = true;
    };
  };
  return { end, track };
}
