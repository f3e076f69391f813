/** A replayed task in words, and how it came to be as it is. */
import type { Task } from "@a2a-js/sdk";
import {
  envelopeOf,
  foldTask,
  kindOf,
  stateWord,
  type TaskState,
  type TrailEntry,
} from "../../bridge/mod.ts";
import { colour, count, oneLine } from "../render/text.ts";
import { facts, printLine, table, timeWords } from "./words.ts";

const TIMELINE_MAX = 200;

export function printState(state: TaskState, entries: readonly TrailEntry[]): void {
  const { taskId, task, basis, agent, caller, lastEvent, records, openArtifacts } = state;
  printLine(colour("bold", `task ${oneLine(taskId, 100)}`));
  const from =
    basis === "events"
      ? `${lastEvent} events of its agent`
      : `what its callers saw: ${records} envelopes (its agent reports no events)`;
  printLine(
    facts([
      ["  state", `${stateWord(task)}${statusText(task)}`],
      ["  since", oneLine(task?.status?.timestamp ?? "", 60)],
      ["  agent", `${agent ?? "?"}, asked by ${caller ?? "?"}`],
      ["  context", oneLine(task?.contextId ?? "", 100)],
      ["  messages", (task?.history ?? []).map((message) => partsWords(message.parts)).join(" · ")],
      ["  artifacts", artifactWords(task, openArtifacts)],
      ["  told by", from],
    ]),
  );
  printTimeline(state, entries);
  for (const { at, text } of state.notes)
    printLine(colour("yellow", `  note  ${oneLine(at, 60)}  ${oneLine(text, 200)}`));
  if (state.notesLeftOut > 0) printLine(`  and ${count(state.notesLeftOut)} notes more`);
}

/** The task's own events one by one: when each came, and how the task stood after it. */
function printTimeline({ taskId, basis }: TaskState, entries: readonly TrailEntry[]): void {
  if (basis !== "events") return;
  const events = entries.filter(
    (entry) => kindOf(entry) === "task" && entry.event.extensions.taskid === taskId,
  );
  const rows: string[][] = [];
  let state = foldTask([], taskId);
  for (const entry of events.slice(0, TIMELINE_MAX)) {
    state = foldTask([entry], state);
    const artifacts = state.task?.artifacts.length ?? 0;
    rows.push([
      `  ${timeWords(entry.event.timeMs)}`,
      `.e${oneLine(envelopeOf(entry)?.split(".e").at(-1) ?? "?", 16)}`,
      `sequence ${entry.seq}`,
      stateWord(state.task),
      artifacts === 0 ? "" : `${artifacts} ${artifacts === 1 ? "artifact" : "artifacts"}`,
      oneLine(statusText(state.task), 80),
    ]);
  }
  printLine(table(rows));
  if (events.length > TIMELINE_MAX)
    printLine(`  and ${count(events.length - TIMELINE_MAX)} events more`);
}

function statusText(task: Task | undefined): string {
  const parts = task?.status?.message?.parts ?? [];
  const words = partsWords(parts);
  return words === "" ? "" : ` · ${words}`;
}

function artifactWords(task: Task | undefined, open: readonly string[]): string {
  const artifacts = task?.artifacts ?? [];
  if (artifacts.length === 0) return "none";
  return artifacts
    .map(({ artifactId, name, parts }) => {
      const bytes = Buffer.byteLength(JSON.stringify(parts));
      const isOpen = open.includes(artifactId) ? ", not finished" : "";
      return `${oneLine(name || artifactId, 60)} (${count(bytes)} bytes${isOpen})`;
    })
    .join(", ");
}

/** A message's parts in short: its texts, and what else there is. */
function partsWords(parts: NonNullable<Task["history"]>[number]["parts"]): string {
  const words = parts.map(({ content }) => {
    if (content?.$case === "text") return oneLine(content.value, 80);
    if (content?.$case === "data") return oneLine(JSON.stringify(content.value) ?? "", 60);
    return content ? `[${content.$case}]` : "[empty]";
  });
  return words.filter((word) => word !== "").join(" ");
}
