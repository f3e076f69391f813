/**
 * Makes the templates of two windows comparable. A miner may have put `<*>` where it had a word a
 * minute earlier, so one statement can carry two ids; those two are one here.
 */
import type { LogSummary, TemplateCounts } from "../model.ts";
import { codeLocationOf } from "../transitions.ts";

/** One statement in both windows. */
export interface Unit {
  readonly key: string;
  readonly service: string;
  readonly sample: TemplateCounts;
  readonly location?: string;
  readonly error: boolean;
  readonly current: number;
  readonly baseline: number;
}

/** Share of plain tokens that must agree for two templates to be one. */
const AGREE_MIN = 0.5;
/** Templates compared per service and length; beyond it ids alone decide. */
const CANDIDATES_MAX = 300;

const isError = (level: string) => level === "ERROR" || level === "FATAL";
const isVariable = (token: string) => /<[^<>]*>/.test(token);

/** True when two templates can be the same statement: equal but for variable tokens. */
export function sameStatement(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  let plain = 0;
  for (const [index, token] of a.entries()) {
    const other = b[index] ?? "";
    if (token === other) plain += isVariable(token) ? 0 : 1;
    else if (!isVariable(token) && !isVariable(other)) return false;
  }
  return plain >= AGREE_MIN * a.length;
}

/** Template id in `current` -> template id in `baseline` that is the same statement. */
export function aliases(current: LogSummary, baseline: LogSummary): Map<string, string> {
  const shape = (template: TemplateCounts, tokens: readonly string[]) =>
    `${template.service} ${template.level} ${template.logger ?? ""} ${tokens.length}`;
  const waiting = new Map<string, { id: string; tokens: string[] }[]>();
  for (const template of baseline.templates.values()) {
    if (current.templates.has(template.id)) continue;
    const tokens = template.template.split(/\s+/);
    const bucket = waiting.get(shape(template, tokens)) ?? [];
    if (bucket.length < CANDIDATES_MAX) bucket.push({ id: template.id, tokens });
    waiting.set(shape(template, tokens), bucket);
  }
  const found = new Map<string, string>();
  for (const template of current.templates.values()) {
    if (baseline.templates.has(template.id)) continue;
    const tokens = template.template.split(/\s+/);
    const match = waiting
      .get(shape(template, tokens))
      ?.find((candidate) => sameStatement(tokens, candidate.tokens));
    if (match !== undefined) found.set(template.id, match.id);
  }
  return found;
}

/**
 * The statements of both windows with their counts. Lines of one code location are one statement,
 * whatever they print; error lines are told apart by their text as well, and from lines that say the same
 * at another level: what was a remark and is an error now is new.
 */
export function units(current: LogSummary, baseline: LogSummary): Unit[] {
  const alias = aliases(current, baseline);
  const table = new Map<string, Unit>();
  const add = (
    template: TemplateCounts,
    id: string,
    counts: [current: number, baseline: number],
  ) => {
    const error = isError(template.level);
    const location = codeLocationOf(template.logger);
    const named = location === undefined || error ? id : "";
    const parts = [template.service, location ?? "", named, error ? "error" : ""];
    const key = parts.join(">");
    const known = table.get(key);
    table.set(key, {
      key,
      service: template.service,
      sample: known?.sample ?? template,
      ...(location === undefined ? {} : { location }),
      error,
      current: (known?.current ?? 0) + counts[0],
      baseline: (known?.baseline ?? 0) + counts[1],
    });
  };
  // The current window first, so that its exemplars are the ones told.
  for (const template of current.templates.values()) {
    add(template, alias.get(template.id) ?? template.id, [template.count, 0]);
  }
  for (const template of baseline.templates.values())
    add(template, template.id, [0, template.count]);
  return [...table.values()];
}
