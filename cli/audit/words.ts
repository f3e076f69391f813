/** Records in words: who, what, when, and how it ended, on lines that stand below each other. */
import {
  envelopeOf,
  kafkaPlaceText,
  kindOf,
  type TrailEntry,
  type Unreadable,
} from "../../bridge/mod.ts";
import { PetrelError } from "../../core/mod.ts";
import { colour, oneLine } from "../render/text.ts";

/** RFC 3339 with milliseconds; in words what is no time. */
export function timeWords(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : "(no time)";
}

/** `<reporter's time>  <who>  <what>  <result>  <envelope>  <place in JetStream>  <place in Kafka>`. */
export function entryLine(entry: TrailEntry): string {
  const { event, seq, kafka } = entry;
  const { method = "", outcome = "" } = event.extensions;
  const kind = kindOf(entry);
  const what = kind === "notice" ? noticeName(entry) : kind;
  const place = kafka === undefined ? "" : `${kafkaPlaceText(kafka)} leaf ${kafka.leaf}`;
  const line = [
    timeWords(event.timeMs),
    oneLine(whoWords(entry), 32).padEnd(18),
    oneLine(method, 24).padEnd(20),
    oneLine(what, 16).padEnd(11),
    outcome.padEnd(5),
    oneLine(envelopeOf(entry) ?? noticeAbout(entry), 60).padEnd(40),
    `${oneLine(event.id.split(":")[0] ?? "", 20)}:${seq}`.padEnd(12),
    place,
  ]
    .join("  ")
    .trimEnd();
  if (kind === "notice") return colour("yellow", line);
  return outcome === "error" ? colour("red", line) : line;
}

export function unreadableLine({ place, problem }: Unreadable): string {
  return colour("red", `cannot be read: ${oneLine(place, 120)}: ${oneLine(problem, 200)}`);
}

function whoWords(entry: TrailEntry): string {
  const { caller, agent } = entry.event.extensions;
  const kind = kindOf(entry);
  if (kind === "notice") return agent ?? "bridge";
  if (kind === "task" || kind === "alarm") return agent ?? "";
  return `${caller ?? "?"} ${kind === "request" ? "→" : "←"} ${agent ?? "?"}`;
}

/** `gap`, `silence` …: the word of a notice's type. */
export function noticeName({ event }: TrailEntry): string {
  return /^petrel\.audit\.([a-z]+)\.v\d+$/.exec(event.type)?.[1] ?? event.type;
}

function noticeAbout({ event }: TrailEntry): string {
  return event.key;
}

/** Columns as wide as their widest cell. Cells are safe to print. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** `name   value` lines, one below the other. */
export function facts(rows: readonly (readonly [string, string])[]): string {
  return table(rows.map(([name, value]) => [name, value]));
}

/** JSON for people: indented, and without a character that a terminal would obey. */
export function prettyJson(value: unknown): string {
  const text = JSON.stringify(value, undefined, 2) ?? "";
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (char) => {
    if (char === "\n") return char;
    const code = char.codePointAt(0) ?? 0;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** A whole number from `min`. Throws USAGE naming the option. */
export function numberOf(text: string, option: string, min = 0): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw new PetrelError(
    "USAGE",
    `${option} "${text.slice(0, 40)}" is not a whole number from ${min}`,
    { path: option.replace(/^--/, "") },
  );
}

/** The first word, when it is one of `known`. Throws USAGE naming them otherwise. */
export function verbOf<T extends string>(
  argv: readonly string[],
  command: string,
  known: readonly T[],
): T {
  const [word = ""] = argv;
  const found = known.find((one) => one === word);
  if (found) return found;
  const isWord = word !== "" && !word.startsWith("-");
  const words = isWord ? `cannot "${word.slice(0, 60)}":` : "say what:";
  throw new PetrelError("USAGE", `${command} ${words} ${known.join(", ")}`);
}

export function printLine(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Shows a warning about what stands on standard output. */
export function warn(text: string): void {
  process.stderr.write(`${colour("yellow", "petrel:")} ${text}\n`);
}

/** Where a record stands, in JetStream and in Kafka. */
export function placeWords({ event, seq, kafka }: TrailEntry): [string, string][] {
  const inStream: [string, string] = ["JetStream", `sequence ${seq} · ${oneLine(event.id, 120)}`];
  if (!kafka) return [inStream];
  const { tree, leaf } = kafka;
  return [inStream, ["Kafka", `${kafkaPlaceText(kafka)} · leaf ${leaf} of ${oneLine(tree, 80)}`]];
}
