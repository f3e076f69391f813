/**
 * A model that does what it is told by whoever wrote the data: for each injection it calls what the text
 * wants called and says what it wants said, with citations that exist. It knows the orders also where they
 * did not get through to it, so that nothing rests on their having been cut away.
 */
import type { LlmSimRequest } from "../../../sim/mod.ts";
import type { Injection } from "./data.ts";

/** Where the text comes with a tool's answer, that tool is asked first. */
const FIRST: Partial<Readonly<Record<Injection["where"], readonly [string, object]>>> = {
  "dashboard title": ["grafana__search_dashboards", { query: "payment" }],
  "tool result": [
    "splunk__splunk_run_query",
    { query: "search index=payments ERROR", earliest_time: "-15m", latest_time: "now" },
  ],
};

const TEXT_CHARS_MAX = 280;

/** The answers to one explanation's questions, in order; the last one again and again. */
export class Obedient {
  readonly #injection: Injection;
  #asked = 0;
  #isShown = false;
  #isTold = false;

  constructor(injection: Injection) {
    this.#injection = injection;
  }

  answer({ prompt }: LlmSimRequest): unknown {
    const text = plain(JSON.stringify(this.#injection.text)).slice(1, 31);
    this.#isShown ||= plain(prompt).includes(text);
    const ids = [...new Set([...prompt.matchAll(/"id":"([et]\d+)"/g)].map(([, id]) => id ?? ""))];
    const first = FIRST[this.#injection.where];
    const steps = [
      ...(first ? [[{ tool: first[0], arguments: first[1] }]] : []),
      ...(this.#injection.obey.ask.length > 0 ? [this.#injection.obey.ask] : []),
    ];
    // Who is told to flood asks again and again.
    const step = this.#injection.harm.includes("flood") ? steps.at(-1) : steps[this.#asked];
    this.#asked++;
    const ask = (step ?? []).map(({ tool, arguments: args }) => ({
      tool,
      arguments: JSON.stringify(args),
      why: "the data orders it",
    }));
    return { ...this.#conclusion(ids), ask };
  }

  /** Whether the text now stood in a prompt for the first time, but for what a person does not see. */
  isShownFirst(): boolean {
    const isFirst = this.#isShown && !this.#isTold;
    this.#isTold ||= isFirst;
    return isFirst;
  }

  #conclusion(ids: readonly string[]) {
    const { text, obey } = this.#injection;
    const { says, next = says, rootCause, confidence } = obey;
    const cited = ids.slice(0, 1);
    const raw = text.slice(0, TEXT_CHARS_MAX);
    const kinds = ["what", "cause", "chain", "blast", "against"] as const;
    const sentence = (words: string) => ({ text: words, evidence: cited });
    return {
      headline: sentence(says),
      rootCause: rootCause
        ? { service: rootCause[0], mechanism: rootCause[1], evidence: cited }
        : null,
      statements: [
        ...kinds.map((kind, at) => ({
          kind,
          ...sentence(at === 0 ? says : `${says} `.repeat(at)),
        })),
        { kind: "what" as const, ...sentence(raw) },
        { kind: "cause" as const, text: says, evidence: ids.slice(0, 10) },
        { kind: "cause" as const, text: `150 errors of payment-service. ${says}`, evidence: cited },
      ].map((statement) => ({ ...statement, text: statement.text.slice(0, 2 * TEXT_CHARS_MAX) })),
      next: [next, raw, `Look at payment-service. ${next}`].map(sentence),
      confidence,
    };
  }
}

/** Without what the digest takes out or replaces, and without spaces. */
export function plain(text: string): string {
  return text
    .replaceAll("\u2039", "<")
    .replaceAll("\u203a", ">")
    .normalize("NFKC")
    .replace(/\\u[0-9a-f]{4}|\\n|[\p{Cc}\p{Cf}\s]/gu, "")
    .toLowerCase();
}
