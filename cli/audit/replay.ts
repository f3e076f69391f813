/** `petrel audit replay`: a task, or every task of a context, as it was at a moment; from the log alone. */
import {
  foldTask,
  isBy,
  type Moment,
  type Query,
  type Selected,
  select,
  type TaskState,
  type TrailEntry,
  taskJson,
} from "../../bridge/mod.ts";
import { PetrelError, parseInstantMs } from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { colour, count, oneLine } from "../render/text.ts";
import { withBodies } from "./bodies.ts";
import { compareAll, type LiveOutcome, printOutcome } from "./live.ts";
import { openSource, SOURCE_OPTIONS } from "./open.ts";
import { progress } from "./progress.ts";
import { printState } from "./task-words.ts";
import { entryLine, numberOf, printLine, timeWords, unreadableLine } from "./words.ts";

const OPTIONS = {
  ...CONFIG_OPTIONS,
  ...SOURCE_OPTIONS,
  task: { type: "string" },
  context: { type: "string" },
  until: { type: "string" },
  seq: { type: "string" },
  "diff-live": { type: "boolean" },
  json: { type: "boolean" },
} as const;

const NOT_FOUND = 1;

interface Values {
  readonly task?: string | undefined;
  readonly context?: string | undefined;
  readonly until?: string | undefined;
  readonly seq?: string | undefined;
  readonly "diff-live"?: boolean | undefined;
}

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const query = queryOf(values);
  const moment = momentOf(values);
  const config = configFrom(values);
  const source = await openSource(config, values, signal);
  const seen = progress("records read:");
  try {
    const selected = await select(() => source.read(), query, seen.at);
    seen.end();
    const entries = await withBodies(config, selected.entries);
    const states = selected.tasks
      .map((id) => foldTask(entries, id, moment))
      .filter(({ basis }) => basis !== "nothing");
    const live = values["diff-live"] ? await compareAll(config, entries, states, signal) : [];
    const upTo = entries.filter((entry) => isBy(entry, moment));
    if (values.json) printJson(source.kind, query, moment, upTo, states, live);
    else print(source.words, query, moment, { ...selected, entries: upTo }, states, live);
    return states.length === 0 ? NOT_FOUND : Math.max(0, ...live.map(({ exitCode }) => exitCode));
  } finally {
    seen.end();
    await source.close();
  }
}

function queryOf({ task, context }: Values): Query {
  if ((task === undefined) === (context === undefined))
    throw new PetrelError("USAGE", "petrel audit replay: name one, --task T or --context C");
  if (task === "" || context === "")
    throw new PetrelError("USAGE", "petrel audit replay: an id is empty");
  return task === undefined ? { kind: "context", id: context ?? "" } : { kind: "task", id: task };
}

function momentOf({ until, seq, "diff-live": diffLive }: Values): Moment {
  if (until !== undefined && seq !== undefined)
    throw new PetrelError("USAGE", "--until and --seq exclude each other");
  if (diffLive && (until !== undefined || seq !== undefined))
    throw new PetrelError("USAGE", "--diff-live compares how it is now: not with --until or --seq");
  return {
    ...(until === undefined ? {} : { untilMs: parseInstantMs(until, "--until") }),
    ...(seq === undefined ? {} : { seq: numberOf(seq, "--seq", 1) }),
  };
}

function printJson(
  source: string,
  query: Query,
  moment: Moment,
  entries: readonly TrailEntry[],
  states: readonly TaskState[],
  live: readonly LiveOutcome[],
): void {
  const tasks = states.map((state) => ({
    ...state,
    inner: undefined,
    task: state.task && taskJson(state.task),
    live: live.find(({ taskId }) => taskId === state.taskId),
  }));
  const envelopes = query.kind === "context" ? { envelopes: entries } : {};
  printLine(JSON.stringify({ source, ...moment, tasks, ...envelopes }));
}

function print(
  from: string,
  query: Query,
  moment: Moment,
  selected: Selected,
  states: readonly TaskState[],
  live: readonly LiveOutcome[],
): void {
  const { entries, read, unreadable } = selected;
  if (query.kind === "context") {
    printLine(colour("bold", `context ${oneLine(query.id, 100)}`));
    for (const entry of entries) printLine(entryLine(entry));
    printLine("");
  }
  for (const state of states) {
    printState(state, entries);
    const outcome = live.find(({ taskId }) => taskId === state.taskId);
    if (outcome) printOutcome(outcome);
    printLine("");
  }
  if (states.length === 0)
    printLine(
      `the trail tells of no task of ${query.kind} ${oneLine(query.id, 100)}${momentWords(moment)}`,
    );
  for (const one of unreadable) printLine(unreadableLine(one));
  printLine(
    colour(
      "grey",
      `${count(entries.length)} of ${count(read)} records${momentWords(moment)} · ${from}`,
    ),
  );
}

function momentWords({ untilMs, seq }: Moment): string {
  if (untilMs !== undefined) return ` · as of ${timeWords(untilMs)}`;
  return seq === undefined ? "" : ` · as of sequence ${seq}`;
}
