/** `petrel ask`: a question in plain words, answered by the agents in the mesh. */
import { createInterface } from "node:readline/promises";
import type { Mesh } from "../../a2a/mod.ts";
import { QUESTION_CHARS_MAX } from "../../agents/supervisor/mod.ts";
import {
  ERROR_CODES,
  isSubjectToken,
  PetrelError,
  parseDurationMs,
  silentLogger,
} from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { type AskOptions, askQuestion, type Standing } from "../asking.ts";
import { answerLines, ProgressView, questionLines } from "../render/answer.ts";
import { oneLine } from "../render/text.ts";
import { openMesh } from "../wire.ts";

const OPTIONS = {
  ...CONFIG_OPTIONS,
  json: { type: "boolean" },
  timeout: { type: "string" },
  task: { type: "string" },
} as const;

/** The question is unclear, and nobody is there to ask: `petrel ask --task` goes on. */
export const NEEDS_INPUT = 6;
/** There is no answer; the text says why. */
const NOT_ANSWERED = 1;
/** A source was away, so there is no saying. */
const INCONCLUSIVE = ERROR_CODES.UNAVAILABLE.exitCode;
/** Beyond what the SRE agent gives its sources. */
const ANSWER_MS = 30_000;

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = readArgs(argv, OPTIONS, 1);
  const text = checkedQuestion(positionals[0]);
  const taskId = values.task;
  if (taskId !== undefined && !isSubjectToken(taskId))
    throw new PetrelError("USAGE", `--task "${oneLine(taskId, 60)}" is no task's id`, {
      path: "task",
    });
  const config = configFrom(values);
  const timeoutMs =
    values.timeout === undefined
      ? config.sre.timeout + ANSWER_MS
      : parseDurationMs(values.timeout, "--timeout");
  const json = values.json ?? false;
  const mesh = await openMesh(config, "cli", silentLogger);
  const view = new ProgressView();
  try {
    const onProgress = json ? () => {} : (words: string) => view.show(words);
    const asked = { text, taskId, timeoutMs, signal, onProgress };
    const standing = await untilAnswered(mesh, asked, !json && isPersonThere(), view);
    view.end();
    process.stdout.write(json ? `${JSON.stringify(jsonOf(standing))}\n` : wordsOf(standing));
    return exitCodeOf(standing);
  } finally {
    view.end();
    await mesh.close();
  }
}

function checkedQuestion(text: string | undefined): string {
  if (text === undefined || text.trim() === "")
    throw new PetrelError(
      "USAGE",
      'ask what? Such as: petrel ask "why is payment failing since 14:40?"',
    );
  if (text.length <= QUESTION_CHARS_MAX) return text;
  const message = `the question has ${text.length} characters, at most ${QUESTION_CHARS_MAX} are read`;
  throw new PetrelError("USAGE", message, { limit: QUESTION_CHARS_MAX });
}

function isPersonThere(): boolean {
  return process.stdin.isTTY && process.stdout.isTTY;
}

/** Asks; what is asked back, the person answers, if one is there. */
async function untilAnswered(
  mesh: Mesh,
  first: AskOptions,
  isInteractive: boolean,
  view: ProgressView,
): Promise<Standing> {
  let asked = first;
  for (;;) {
    const standing = await askQuestion(mesh, asked);
    if (standing.state !== "input-required" || !isInteractive) return standing;
    view.end();
    const text = await answerOf(standing.question.question, asked.signal);
    if (text === undefined) return standing;
    asked = { ...asked, text, taskId: standing.taskId };
  }
}

/** What the person types; undefined for nothing, or for a question that is left. */
async function answerOf(question: string, signal: AbortSignal): Promise<string | undefined> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  const left = new AbortController();
  lines.once("close", () => left.abort());
  try {
    const prompt = `${oneLine(question, 2_000)}\n> `;
    const text = await lines.question(prompt, { signal: AbortSignal.any([signal, left.signal]) });
    return text.trim() === "" ? undefined : text.slice(0, QUESTION_CHARS_MAX);
  } catch {
    signal.throwIfAborted();
    return undefined;
  } finally {
    lines.close();
  }
}

function wordsOf(standing: Standing): string {
  if (standing.state === "completed") return answerLines(standing.answer);
  if (standing.state === "input-required") return questionLines(standing.question, standing.taskId);
  return `not answered (${standing.state}): ${oneLine(standing.text, 2_000) || "no reason was given"}\n`;
}

function jsonOf(standing: Standing): Record<string, unknown> {
  const { taskId, ...rest } = standing;
  return { task: taskId, ...rest };
}

function exitCodeOf(standing: Standing): number {
  if (standing.state === "completed")
    return standing.answer.outcome === "inconclusive" ? INCONCLUSIVE : 0;
  return standing.state === "input-required" ? NEEDS_INPUT : NOT_ANSWERED;
}
