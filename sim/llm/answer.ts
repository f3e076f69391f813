/**
 * What the stand-in model says: a value made from the JSON Schema it was given and the evidence ids it
 * finds in the prompt. It understands nothing; the same request always gives the same answer.
 */

import { factsIn, type PromptFacts } from "./facts.ts";

type Node = Readonly<Record<string, unknown>>;

const EVIDENCE_ID = /\be\d+\b/g;
const SCHEMA_HEADING = "JSON Schema:\n";
/** A property by such a name is about evidence. */
const CITES = /evidence|cite|citation|source/i;
const IDS_MAX = 3;
/** Short enough for any text; bounds on length are not part of a strict schema. */
const TEXT_CHARS_MAX = 400;
const TITLE_CHARS_MAX = 160;
/** A property by such a name is what to do next, and one by such a name may be left empty. */
const NEXT = /^next/i;
const ASKS = /^ask$/i;

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The evidence ids of a prompt, in the order they first appear. */
export function evidenceIdsIn(prompt: string): string[] {
  return [...new Set(prompt.match(EVIDENCE_ID) ?? [])];
}

/** The schema a client wrote into its instructions because the endpoint takes none; or undefined. */
export function schemaInText(system: string): Node | undefined {
  const at = system.lastIndexOf(SCHEMA_HEADING);
  if (at === -1) return undefined;
  try {
    const value: unknown = JSON.parse(system.slice(at + SCHEMA_HEADING.length));
    return isNode(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What the prompt says of one piece of evidence: its summary, or the first line that names it. */
function lineAbout(prompt: string, id: string | undefined): string {
  if (id === undefined) return "The prompt names no evidence.";
  const lines = prompt.split("\n");
  const summary = lines.map((line) => summaryIn(line, id)).find((found) => found !== undefined);
  const named = lines.find((line) => line.match(EVIDENCE_ID)?.includes(id));
  return (summary ?? `As ${id} shows: ${(named ?? "").trim()}`).slice(0, TEXT_CHARS_MAX);
}

function summaryIn(line: string, id: string): string | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const said: { id?: unknown; summary?: unknown } = JSON.parse(line);
    return said.id === id && typeof said.summary === "string" ? said.summary : undefined;
  } catch {
    return undefined;
  }
}

function numberOf(node: Node, key: string): number | undefined {
  const value = node[key];
  return typeof value === "number" ? value : undefined;
}

function numberFor(node: Node): number {
  const low = numberOf(node, "minimum") ?? numberOf(node, "exclusiveMinimum");
  const high = numberOf(node, "maximum") ?? numberOf(node, "exclusiveMaximum");
  if (low === undefined || high === undefined) return low ?? high ?? 0;
  const middle = (low + high) / 2;
  return node["type"] === "integer" ? Math.floor(middle) : middle;
}

/** Fills a schema. Only what zod makes of ordinary objects is understood. */
class Filler {
  readonly #root: Node;
  readonly #prompt: string;
  readonly #ids: readonly string[];
  readonly #facts: PromptFacts;

  constructor(root: Node, prompt: string) {
    this.#root = root;
    this.#prompt = prompt;
    this.#facts = factsIn(prompt);
    // What the first cause rests on, where the prompt ranks causes.
    const own = this.#facts.causes[0]?.evidence ?? [];
    this.#ids = own.length > 0 ? own : evidenceIdsIn(prompt);
  }

  fill(node: Node, name: string): unknown {
    if ("const" in node) return node["const"];
    if (Array.isArray(node["enum"])) return node["enum"][0];
    if (typeof node["$ref"] === "string") return this.#fillRef(node["$ref"], name);
    const options = node["anyOf"] ?? node["oneOf"];
    if (Array.isArray(options)) {
      const usable = options.filter(isNode);
      const filled = usable.find((option) => option["type"] !== "null") ?? usable[0];
      return filled === undefined ? null : this.fill(filled, name);
    }
    switch (node["type"]) {
      case "object":
        return this.#fillObject(node, name);
      case "array":
        return this.#fillArray(node, name);
      case "string":
        return this.#fillText(name);
      case "number":
      case "integer":
        return numberFor(node);
      case "boolean":
        return false;
      default:
        return null;
    }
  }

  #fillRef(ref: string, name: string): unknown {
    const target = ref
      .replace(/^#\/?/, "")
      .split("/")
      .filter((key) => key !== "")
      .reduce<unknown>((node, key) => (isNode(node) ? node[key] : undefined), this.#root);
    return isNode(target) && target !== this.#root ? this.fill(target, name) : null;
  }

  /** The first ranked cause by its names, what to look at, else what the evidence says. */
  #fillText(name: string): string {
    if (CITES.test(name)) return this.#ids[0] ?? "none";
    const [cause] = this.#facts.causes;
    if (cause && name === "service") return cause.service;
    if (cause && name === "mechanism") return cause.mechanism;
    if (cause && NEXT.test(name)) return `Look at ${cause.service} first.`;
    const about = lineAbout(this.#prompt, this.#ids[0]);
    return name === "title" ? about.slice(0, TITLE_CHARS_MAX) : about;
  }

  /** What a step says, its name tells: `next[].text` is a step. */
  #fillObject(node: Node, name: string): Record<string, unknown> {
    const properties = isNode(node["properties"]) ? node["properties"] : {};
    return Object.fromEntries(
      Object.entries(properties).map(([key, value]) => [
        key,
        isNode(value) ? this.fill(value, key === "text" && NEXT.test(name) ? name : key) : null,
      ]),
    );
  }

  #fillArray(node: Node, name: string): unknown[] {
    if (ASKS.test(name)) return [];
    const items = isNode(node["items"]) ? node["items"] : {};
    const most = numberOf(node, "maxItems") ?? IDS_MAX;
    if (CITES.test(name) && items["type"] === "string" && !("enum" in items)) {
      return this.#ids.slice(0, Math.min(most, IDS_MAX));
    }
    const count = Math.min(most, Math.max(1, numberOf(node, "minItems") ?? 1));
    return Array.from({ length: count }, () => this.fill(items, name));
  }
}

/** A value of the schema, citing evidence ids of the prompt. */
export function answerFor(schema: Node, prompt: string): unknown {
  return new Filler(schema, prompt).fill(schema, "");
}
