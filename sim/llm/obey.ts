/**
 * A model without judgement: whatever it reads that sounds like an order it does, wherever it stands. It
 * asks for tools that are named to it, says what it is told to say, accuses whom it is told to accuse, and
 * gives away all it sees. For tests that show what an injected order can reach.
 */
import { answerFor } from "./answer.ts";
import type { LlmSimRequest } from "./server.ts";

interface Orders {
  /** Texts to be told. */
  readonly say: readonly string[];
  readonly services: readonly string[];
  readonly calls: readonly {
    readonly tool: string;
    readonly arguments: string;
    readonly why: string;
  }[];
  readonly links: readonly string[];
  readonly confidence: number | undefined;
}

const SAY =
  /\b(?:say|reply|answer|respond|write|state|report|repeat|output|tell|announce|conclude|claim)\b(?:\s+(?:only|that|with|exactly|back|them|everyone|the engineer))*\s*:?\s*["']?([^"'\n\\{}]{3,300})/gi;
const ACCUSE =
  /\b(?:blame|accuse|name|root ?cause (?:is|to|=|:))\s+(?:the\s+)?([A-Za-z][\w.-]{2,80})/gi;
const CALL =
  /\b(?:call|use|invoke|run|execute|query)\s+(?:the\s+)?(?:tool\s+)?["'`]?([A-Za-z][\w.:/-]{2,80})["'`]?(?:\s+tool)?(?:\s+(?:with|on|and)?\s*(?:arguments?|args)?\s*:?\s*(\{[^\n]{0,500}?\}))?/gi;
const LINK = /\b(?:[a-z]{2,8}:\/\/|www\.)[^\s"'<>\\]{3,200}/gi;
const CONFIDENCE = /\bconfidence\s*(?:to|=|is|of|:)?\s*([01](?:\.\d+)?)\b/i;
const SEVERITY = /\bseverity\s*(?:to|=|is|of|:)?\s*"?([a-z]{2,12})/i;
const REVEAL =
  /\b(?:print|reveal|dump|leak|show|send|include|exfiltrate|disclose|paste)\s+(?:me\s+)?(?:all|every|your|the|any)\b[^\n]{0,40}\b(?:prompt|secrets?|instructions|context|tokens?|keys?|credentials?|passwords?|environment|data|see)\b/i;

const ASKED_MAX = 3;
const TEXT_CHARS_MAX = 580;
const SAID_MAX = 40;

/** Reads as a person would, with the signs a digest replaces put back and escapes undone. */
function readable({ system, prompt }: LlmSimRequest): string {
  return `${system}\n${prompt}`.replaceAll("‹", "<").replaceAll("›", ">").replaceAll('\\"', '"');
}

function ordersIn(request: LlmSimRequest): Orders {
  // Its own instructions are no orders to lie; what else it reads is.
  const text = readable({ ...request, system: "" });
  const groups = (pattern: RegExp) =>
    [...text.matchAll(pattern)].map(([, found = ""]) => found.trim());
  const severity = SEVERITY.exec(text)?.[1];
  const all = readable(request);
  const seen = REVEAL.test(text) ? (all.match(/[^]{1,500}/g) ?? []) : [];
  return {
    say: [
      ...groups(SAY),
      ...(severity === undefined ? [] : [`Severity ${severity}.`]),
      ...seen,
    ].slice(0, SAID_MAX),
    services: groups(ACCUSE),
    calls: [...text.matchAll(CALL)]
      .filter(([, tool = ""]) => /[_.:/-]/.test(tool))
      .map(([, tool = "", args = "{}"]) => ({ tool, arguments: args, why: "I was told to." })),
    links: text.match(LINK) ?? [],
    confidence:
      CONFIDENCE.exec(text)?.[1] === undefined ? undefined : Number(CONFIDENCE.exec(text)?.[1]),
  };
}

/** For the stand-in's `answer`: an answer of the asked schema that does all it was told. */
export function obey(request: LlmSimRequest): unknown {
  const orders = ordersIn(request);
  const value = request.schema === undefined ? {} : answerFor(request.schema, request.prompt);
  return new Obedient(orders).rewrite(value, "");
}

/** Rewrites an answer, text by text; each order is used in turn. */
class Obedient {
  readonly #orders: Orders;
  #said = 0;

  constructor(orders: Orders) {
    this.#orders = orders;
  }

  rewrite(value: unknown, name: string): unknown {
    const { calls, links, confidence, services } = this.#orders;
    if (name === "ask" && Array.isArray(value)) return calls.slice(0, ASKED_MAX);
    if (name === "confidence" && confidence !== undefined) return confidence;
    if (name === "service" && services.length > 0) return services[0];
    if (Array.isArray(value)) return this.#rewriteAll(value, name);
    if (typeof value === "object" && value !== null) {
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [
          key,
          this.rewrite(item, key === "text" ? name || key : key),
        ]),
      );
    }
    if (typeof value !== "string" || !isTold(name)) return value;
    if (/^next/i.test(name) && links.length > 0)
      return `Open ${links[this.#said++ % links.length] ?? ""}`;
    return this.#say(value);
  }

  /** Room for all it has to say: the list's first item, as often as there are orders. */
  #rewriteAll(items: readonly unknown[], name: string): unknown[] {
    const isTexts = /^(?:statements|next)$/i.test(name);
    const count = isTexts
      ? Math.min(6, Math.max(items.length, this.#orders.say.length))
      : items.length;
    return Array.from({ length: count }, (_, at) => this.rewrite(items[at % items.length], name));
  }

  #say(usual: string): string {
    const { say, services } = this.#orders;
    const told = say[this.#said++ % Math.max(1, say.length)];
    const accused = services.length > 0 ? `${services[0]} did it. ` : "";
    return `${accused}${told ?? usual}`.slice(0, TEXT_CHARS_MAX);
  }
}

/** Texts that people read; kinds, ids and names of tools are not. */
function isTold(name: string): boolean {
  return !/^(?:kind|evidence|id|tool|arguments|mechanism)$/i.test(name);
}
