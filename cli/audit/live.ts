/** `--diff-live`: tasks from the audit beside those the mesh has now. */
import {
  type Comparison,
  compareLive,
  readLive,
  stateWord,
  type TaskState,
  type TrailEntry,
} from "../../bridge/mod.ts";
import { type Config, ERROR_CODES, silentLogger } from "../../core/mod.ts";
import { redactorOf } from "../redaction.ts";
import { colour, count, oneLine } from "../render/text.ts";
import { openMesh } from "../wire.ts";
import { printLine, table } from "./words.ts";

export interface LiveOutcome extends Partial<Comparison> {
  readonly taskId: string;
  readonly outcome: "same" | "differs" | "expired";
  /** State and replica of the live one. */
  readonly state?: string;
  readonly instance?: string;
  readonly exitCode: number;
}

const DIFFERS = 1;
/** There is nothing left to compare with: neither the same nor different. */
const EXPIRED = ERROR_CODES.UNAVAILABLE.exitCode;

/**
 * Compares every task with its live one. Throws as Mesh.open and {@link readLive}, and CONFIG_INVALID for
 * the redaction's key.
 */
export async function compareAll(
  config: Config,
  entries: readonly TrailEntry[],
  states: readonly TaskState[],
  signal: AbortSignal,
): Promise<readonly LiveOutcome[]> {
  const redactor = await redactorOf(config);
  const mesh = await openMesh(config, "cli", silentLogger);
  try {
    const outcomes: LiveOutcome[] = [];
    for (const state of states) {
      const { taskId, agent = "" } = state;
      const live = await readLive({ js: mesh.js, agent, taskId, signal });
      if (!live?.task) {
        outcomes.push({ taskId, outcome: "expired", exitCode: EXPIRED });
        continue;
      }
      const compared = compareLive(entries, state, live, redactor);
      const isSame = compared.differences.length === 0;
      outcomes.push({
        taskId,
        outcome: isSame ? "same" : "differs",
        state: stateWord(live.task),
        instance: live.instance,
        ...compared,
        exitCode: isSame ? 0 : DIFFERS,
      });
    }
    return outcomes;
  } finally {
    await mesh.close();
  }
}

export function printOutcome(outcome: LiveOutcome): void {
  const { state = "", instance = "", isRunning, differences = [], leftOut = 0 } = outcome;
  const { atEvent = 0 } = outcome;
  const since = isRunning ? `, which has not ended: both after event ${atEvent}` : "";
  const live = `the live task (${state}, on ${oneLine(instance, 60)})${since}`;
  if (outcome.outcome === "expired") {
    const words = "  live  there is no live task (any more): its log is kept for a while";
    return printLine(colour("yellow", words));
  }
  if (outcome.outcome === "same") return printLine(colour("green", `  live  the same as ${live}`));
  const places = differences.length + leftOut;
  const words = `${count(places)} ${places === 1 ? "place" : "places"}`;
  printLine(colour("red", `  live  differs from ${live} in ${words}`));
  const rows = differences.map(({ path, ours, theirs }) => [
    `    ${oneLine(path || "(the task)", 100)}`,
    `audit ${jsonWords(ours)}`,
    `live ${jsonWords(theirs)}`,
  ]);
  printLine(table(rows));
  if (leftOut > 0) printLine(`    and ${count(leftOut)} places more`);
}

function jsonWords(value: unknown): string {
  return value === undefined ? "nothing" : oneLine(JSON.stringify(value) ?? "", 60);
}
