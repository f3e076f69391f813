/** `petrel audit show`: the records of a task or a call in order, or one envelope with all that is known of it. */
import { kindOf, type Selected, select, type TrailEntry } from "../../bridge/mod.ts";
import { PetrelError } from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { colour, count, oneLine } from "../render/text.ts";
import { withBodies } from "./bodies.ts";
import { openSource, SOURCE_OPTIONS, type Source } from "./open.ts";
import { progress } from "./progress.ts";
import {
  entryLine,
  facts,
  noticeName,
  placeWords,
  prettyJson,
  printLine,
  timeWords,
  unreadableLine,
} from "./words.ts";

const OPTIONS = { ...CONFIG_OPTIONS, ...SOURCE_OPTIONS, json: { type: "boolean" } } as const;

const NOT_FOUND = 1;

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = readArgs(argv, OPTIONS, 1);
  const [id] = positionals;
  if (id === undefined || id === "")
    throw new PetrelError("USAGE", "petrel audit show: name a task or an envelope");
  const config = configFrom(values);
  const source = await openSource(config, values, signal);
  const seen = progress("records read:");
  try {
    const selected = await select(() => source.read(), { kind: "any", id }, seen.at);
    seen.end();
    const entries = await withBodies(config, selected.entries);
    if (values.json) printLine(JSON.stringify({ source: source.kind, entries }));
    else print(id, source, { ...selected, entries });
    return entries.length > 0 ? 0 : NOT_FOUND;
  } finally {
    seen.end();
    await source.close();
  }
}

function print(id: string, source: Source, selected: Selected): void {
  const { entries, read, unreadable, unreadableLeftOut } = selected;
  const envelopes = entries.filter((entry) => kindOf(entry) !== "notice");
  const shown = oneLine(id, 100);
  const [only] = envelopes;
  if (envelopes.length === 1 && only) printOne(only, entries);
  else if (entries.length === 0) printLine(`nothing in the trail belongs to ${shown}`);
  else for (const entry of entries) printLine(entryLine(entry));
  for (const one of unreadable) printLine(unreadableLine(one));
  const more = unreadableLeftOut > 0 ? ` · ${count(unreadableLeftOut)} more unreadable` : "";
  printLine(
    colour("grey", `\n${count(entries.length)} of ${count(read)} records${more} · ${source.words}`),
  );
}

/** Everything about one envelope: who, what, when, with what result, where it stands, and its body. */
function printOne(entry: TrailEntry, all: readonly TrailEntry[]): void {
  const { event } = entry;
  const { extensions } = event;
  const optional = (name: string, value: string | undefined): [string, string][] =>
    value === undefined ? [] : [[name, oneLine(value, 200)]];
  const rows: [string, string][] = [
    ["envelope", oneLine(extensions.envelopeid ?? "", 200)],
    [
      "what",
      `${kindOf(entry)} of ${oneLine(extensions.method ?? "", 60)} · ${oneLine(event.type, 80)}`,
    ],
    [
      "who",
      kindOf(entry) === "alarm"
        ? `raised by ${extensions.agent ?? "?"}`
        : `${extensions.caller ?? "?"} asked ${extensions.agent ?? "?"}`,
    ],
    ["when", `${timeWords(event.timeMs)} by the reporter's clock`],
    ["stored", `${extensions.streamtime ?? "?"} in JetStream`],
    ...optional("result", extensions.outcome),
    ...optional("task", extensions.taskid),
    ...optional("context", extensions.contextid),
    [
      "reported",
      `first by the ${extensions.reportedby ?? "?"}, process ${oneLine(extensions.instance ?? "?", 60)}`,
    ],
    ...optional("trace", event.traceparent),
    ...optional("redaction", extensions.redaction),
    ...placeWords(entry),
    ...optional("body at", extensions.dataref),
  ];
  for (const notice of all.filter((one) => kindOf(one) === "notice"))
    rows.push(["notice", `${noticeName(notice)} · ${timeWords(notice.event.timeMs)}`]);
  printLine(facts(rows));
  if (event.data !== undefined) printLine(`\n${bodyText(event.data)}`);
}

function bodyText(data: string): string {
  try {
    return prettyJson(JSON.parse(data));
  } catch {
    return prettyJson(data);
  }
}
