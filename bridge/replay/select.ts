/**
 * Which records belong to a task, a context or an envelope. A record names the task its body names, and a
 * request that begins one names none: it belongs to it because its answer does. So the trail is read
 * twice, first for the calls, then for their records; what is held is what was asked for.
 */
import { PetrelError } from "../../core/mod.ts";
import { taskOfEvent } from "../records/ids.ts";
import { originalText, safeText } from "../records/text.ts";
import {
  byPlace,
  callOfEntry,
  envelopeOf,
  kindOf,
  type TrailEntry,
  type Unreadable,
} from "./entry.ts";

/** What is looked for; `any` may be a task, an envelope or a call. */
export type Query =
  | { readonly kind: "task"; readonly id: string }
  | { readonly kind: "context"; readonly id: string }
  | { readonly kind: "any"; readonly id: string };

export interface Selected {
  /** In the order of the stream. */
  readonly entries: readonly TrailEntry[];
  /** The tasks among them, in the order they came up. */
  readonly tasks: readonly string[];
  /** Records read, all of the trail. */
  readonly read: number;
  readonly unreadable: readonly Unreadable[];
  readonly unreadableLeftOut: number;
}

const SELECTED_MAX = 100_000;
const UNREADABLE_MAX = 20;

export class Selection {
  readonly #query: Query;
  readonly #id: string;
  readonly #tasks = new Set<string>();
  readonly #calls = new Set<string>();
  /** True when `any` is an envelope, and not a task or a call. */
  #isEnvelope = false;

  constructor(query: Query) {
    this.#query = query;
    this.#id = safeText(query.id);
    if (query.kind === "task") this.#tasks.add(this.#id);
  }

  /** Ids of the tasks that came up, as they were before they became attributes. */
  get tasks(): readonly string[] {
    return Array.from(this.#tasks, (id) => originalText(id) ?? id);
  }

  /** First reading: learns what belongs together. */
  look(entry: TrailEntry): void {
    const kind = kindOf(entry);
    if (kind === "notice") return;
    const { taskid, contextid } = entry.event.extensions;
    const call = callOfEntry(entry);
    const { kind: asked } = this.#query;
    if (asked === "context") {
      if (contextid !== this.#id) return;
      if (taskid !== undefined) this.#tasks.add(taskid);
    } else if (asked === "any") {
      const isPart = kind === "task" || kind === "alarm" || call !== this.#id;
      if (isPart && envelopeOf(entry) === this.#id) this.#isEnvelope = true;
      else if (taskid === this.#id) this.#tasks.add(taskid);
      else if (call !== this.#id && !this.#isAlarm(entry)) return;
    } else if (taskid !== this.#id) return;
    if (call !== undefined && kind !== "task") this.#calls.add(call);
  }

  /** An alarm's record may have a number of its own behind the alarm's id: `<alarm>:<record>`. */
  #isAlarm(entry: TrailEntry): boolean {
    const envelope = envelopeOf(entry) ?? "";
    return kindOf(entry) === "alarm" && envelope.startsWith(`${this.#id}:`);
  }

  /** Second reading: whether a record belongs to what was asked for. */
  holds(entry: TrailEntry): boolean {
    const envelope = envelopeOf(entry);
    if (this.#isEnvelope) return envelope === this.#id;
    const { taskid, contextid } = entry.event.extensions;
    if (this.#query.kind === "context" && contextid === this.#id) return true;
    if (taskid !== undefined && this.#tasks.has(taskid)) return true;
    if (envelope === undefined) return false;
    if (kindOf(entry) === "notice" && this.#tasks.has(taskOfEvent(envelope) ?? "")) return true;
    return this.#calls.has(callOfEntry(entry) ?? "");
  }
}

/**
 * Reads a trail twice and returns what belongs to `query`. `onRead` is told how many records were read.
 * Throws TOO_LARGE when more than 100,000 records belong to it, and what `read` throws.
 */
export async function select(
  read: () => AsyncIterable<TrailEntry | Unreadable>,
  query: Query,
  onRead: (records: number) => void = () => {},
): Promise<Selected> {
  const selection = new Selection(query);
  const unreadable: Unreadable[] = [];
  let unreadableLeftOut = 0;
  let count = 0;
  for await (const entry of read()) {
    onRead(++count);
    if (!isUnreadable(entry)) selection.look(entry);
    else if (unreadable.length < UNREADABLE_MAX) unreadable.push(entry);
    else unreadableLeftOut++;
  }
  const entries: TrailEntry[] = [];
  let again = count;
  for await (const entry of read()) {
    onRead(++again);
    if (isUnreadable(entry) || !selection.holds(entry)) continue;
    if (entries.push(entry) > SELECTED_MAX) throw tooMany(query);
  }
  entries.sort(byPlace);
  return { entries, tasks: selection.tasks, read: count, unreadable, unreadableLeftOut };
}

export function isUnreadable(entry: TrailEntry | Unreadable): entry is Unreadable {
  return "kind" in entry;
}

function tooMany({ id }: Query): PetrelError {
  return new PetrelError(
    "TOO_LARGE",
    `more than ${SELECTED_MAX} records belong to "${id.slice(0, 100)}"`,
    { limit: SELECTED_MAX },
  );
}
