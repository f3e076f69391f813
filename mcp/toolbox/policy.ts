/**
 * What may be called, and with what. Deny by default: a tool is offered only if its server's list names
 * it, it says of itself that it changes nothing, and every query in it can be checked. Sends nothing but
 * a statement to Splunk's parser.
 */
import { type Clock, PetrelError } from "../../core/mod.ts";
import { checkArguments, textsIn } from "./arguments.ts";
import { KNOWN_RULES, KNOWN_TOOLS } from "./known.ts";
import { checkPromqlCost, checkSpl, instantMs, type SplParser } from "./queries.ts";
import type { RemoteTool } from "./server.ts";
import { isJson } from "./words.ts";

/** An argument of a tool that is a query. */
export interface ToolRule {
  readonly tool: string;
  readonly argument: string;
  readonly language: "spl" | "promql";
  /** Pairs of arguments that are a window's start and end. SPL needs one; none is longer than a day. */
  readonly times?: readonly (readonly [start: string, end: string])[];
}

export interface ServerPolicy {
  /** Names as the server has them. Default: the reading tools of Splunk's and Grafana's own servers. */
  readonly allow?: readonly string[];
  /** Beside those of the known tools, which hold in any case. Each argument has to be there. */
  readonly rules?: readonly ToolRule[];
  readonly known?: readonly ToolRule[];
}

export interface PolicyOptions {
  readonly clock: Clock;
  /** Of the Splunk that is configured. Without it, no tool that takes SPL is offered. */
  readonly parseSpl?: SplParser;
  /** What must not leave: a text it would change is not sent. */
  readonly redact: (text: string) => string;
}

function declares({ input: { properties } }: RemoteTool, { argument }: ToolRule): boolean {
  return isJson(properties) && Object.hasOwn(properties, argument);
}

const WINDOW_MS_MAX = 24 * 60 * 60_000;
/** Clocks differ, and a window may end in a minute that is not over. */
const FUTURE_MS_MAX = 5 * 60_000;

export class ToolPolicy {
  readonly #allow: ReadonlySet<string>;
  readonly #rules: readonly ToolRule[];
  readonly #known: readonly ToolRule[];
  readonly #options: PolicyOptions;

  constructor(policy: ServerPolicy, options: PolicyOptions) {
    this.#allow = new Set(policy.allow ?? KNOWN_TOOLS);
    this.#rules = policy.rules ?? [];
    this.#known = policy.known ?? KNOWN_RULES;
    this.#options = options;
  }

  /** Why a tool is not offered; undefined when it is. */
  refusal(tool: RemoteTool): string | undefined {
    if (!this.#allow.has(tool.name)) return "it is not on the server's list";
    if (tool.readOnly === false || tool.destructive === true) return "it changes something";
    const isOfTool = (rule: ToolRule) => rule.tool === tool.name;
    const asked = this.#rules.filter(isOfTool);
    const missing = asked.find((rule) => !declares(tool, rule));
    if (missing) return `it has no argument "${missing.argument}" to check`;
    const rules = this.#rulesOf(tool);
    if (rules.length === 0 && this.#known.some(isOfTool)) return "its query cannot be told";
    if (rules.some(({ language }) => language === "spl") && !this.#options.parseSpl)
      return "there is no Splunk whose parser could check its SPL";
    return undefined;
  }

  /**
   * The arguments as they may be sent. Rejects with QUERY_REFUSED, USAGE or TOO_LARGE in words a model
   * can use, or as Splunk's parser does when it cannot be asked.
   */
  async check(
    tool: RemoteTool,
    given: unknown,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>>> {
    const args = checkArguments(given, tool.input);
    for (const text of textsIn(args)) {
      if (this.#options.redact(text) !== text)
        throw new PetrelError("QUERY_REFUSED", "arguments: hold what looks like a secret");
    }
    for (const rule of this.#rulesOf(tool)) await this.#checkRule(rule, args, signal);
    return args;
  }

  #rulesOf(tool: RemoteTool): readonly ToolRule[] {
    const rules = [...this.#known, ...this.#rules];
    return rules.filter((rule) => rule.tool === tool.name && declares(tool, rule));
  }

  async #checkRule(
    rule: ToolRule,
    args: Record<string, unknown>,
    signal: AbortSignal,
  ): Promise<void> {
    const query = args[rule.argument];
    if (query === undefined) return;
    if (typeof query !== "string")
      throw new PetrelError("USAGE", `${rule.argument}: must be a text`, { path: rule.argument });
    this.#checkTimes(rule, args);
    if (rule.language === "promql") return checkPromqlCost(query);
    const { parseSpl } = this.#options;
    if (!parseSpl) throw new PetrelError("QUERY_REFUSED", "SPL cannot be checked here");
    args[rule.argument] = await checkSpl(query, parseSpl, signal);
  }

  /** Every window that is given is known and at most a day; SPL has one. */
  #checkTimes({ language, times = [] }: ToolRule, args: Readonly<Record<string, unknown>>): void {
    const nowMs = this.#options.clock.nowMs();
    let windows = 0;
    const timeOf = (name: string, otherwise: number): number => {
      if (args[name] === undefined) return otherwise;
      const ms = instantMs(args[name], nowMs);
      if (ms !== undefined) return ms;
      const forms = "2026-01-29T08:45:00Z, seconds since 1970, now, or such as -15m";
      throw new PetrelError("USAGE", `${name}: must be a time: ${forms}`, { path: name });
    };
    for (const [start, end] of times) {
      const endMs = timeOf(end, nowMs);
      // Without a start it is one moment, or the tool's own short window.
      if (args[start] === undefined) continue;
      const startMs = timeOf(start, endMs);
      if (endMs < startMs || endMs - startMs > WINDOW_MS_MAX || startMs > nowMs + FUTURE_MS_MAX)
        throw new PetrelError("QUERY_REFUSED", `${start}: a window is at most 24 hours`);
      windows++;
    }
    if (language === "spl" && windows === 0) {
      const [start] = times[0] ?? ["a start"];
      throw new PetrelError("USAGE", `${start}: is needed, so that the search ends`);
    }
  }
}
