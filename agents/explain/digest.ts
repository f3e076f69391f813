/**
 * What a model is told of a verdict: lines of JSON, the most telling first, within a bound of tokens
 * however much was found. Every text in it is redacted, without control characters, cut to length, and
 * cannot end the fence it stands in. Pure, but for the counting that is passed in.
 */
import type { SeenBefore } from "../../alarms/mod.ts";
import type { CauseJson, SourceResult, Verdict } from "../sre/records.ts";
import type { ToolResult } from "./facts.ts";
import type { ToolWords } from "./ports.ts";
import { oneLine } from "./text.ts";
import type { CountTokens } from "./tokens.ts";

export interface DigestOptions {
  readonly verdict: Verdict;
  readonly seenBefore: readonly SeenBefore[];
  /** Empty: the model may not ask for any. */
  readonly tools: readonly ToolWords[];
  readonly results: readonly ToolResult[];
  readonly redact: (text: string) => string;
  readonly count: CountTokens;
  readonly tokensMax: number;
}

const CAUSES_MAX = 3;
const SEEN_MAX = 3;
const TOOLS_MAX = 20;
const NAME_CHARS_MAX = 120;
const SUMMARY_CHARS_MAX = 400;
const LINE_CHARS_MAX = 300;
const RESULT_CHARS_MAX = 3_000;
/** Of a text beyond what is shown: a secret that begins in what is shown ends there. */
const READ_CHARS = 4_000;
const PARAMETERS_MAX = 12;
/** Of the tokens, so that tools do not push out the evidence. */
const TOOLS_SHARE = 0.2;

/** `<data>`, JSON lines, `</data>`: at most `tokensMax` tokens, counted over all of it. */
export function digestOf(options: DigestOptions): string {
  const { tokensMax, count } = options;
  const lines = fitting(options);
  for (;;) {
    const text = fenced(lines);
    // Lines were counted one by one; together they may be a little more.
    if (lines.length === 0 || count(text) <= tokensMax) return text;
    lines.pop();
  }
}

/** Without these two signs no text can close the fence, however it is put together. */
function fenced(lines: readonly string[]): string {
  const safe = lines.join("\n").replaceAll("<", "‹").replaceAll(">", "›");
  return `<data>\n${safe}\n</data>`;
}

/** A line, and shorter ones that say the same in part. */
type Choice = readonly object[];

/** Lines that fit: one that does not gives way to a shorter form of itself, or to those after it. */
function fitting(options: DigestOptions): string[] {
  const { count, tokensMax } = options;
  const { first, tools, rest } = choicesOf(options);
  const lines: string[] = [];
  let left = tokensMax - count(fenced([]));
  const take = (choices: readonly Choice[], share: number) => {
    let own = Math.floor(share * left);
    for (const choice of choices) {
      for (const form of choice) {
        const line = JSON.stringify(form);
        const tokens = count(line.replaceAll("<", "‹").replaceAll(">", "›")) + 1;
        if (tokens > own) continue;
        lines.push(line);
        left -= tokens;
        own -= tokens;
        break;
      }
    }
  };
  take(first, 1 - (tools.length > 0 ? TOOLS_SHARE : 0));
  take(tools, 1);
  take(rest, 1);
  return lines;
}

/** In the order of what matters: causes, their evidence, what failed, who suffers, results, the rest. */
function choicesOf(options: DigestOptions) {
  const { verdict, seenBefore, tools, results, redact } = options;
  // Redacted before it is cut, since half a secret is not recognised; cut before too, to bound the work.
  const say: Say = (text, charsMax) =>
    oneLine(redact(text.slice(0, 8 * charsMax + READ_CHARS)), charsMax);
  const [first, ...others] = verdict.causes.slice(0, CAUSES_MAX);
  const known = new Map(verdict.evidence.map((one) => [one.id, one]));
  const evidenceOf = (cause: CauseJson | undefined) =>
    (cause?.evidence ?? []).flatMap((id) => known.get(id) ?? []);
  const ordered = new Set([
    ...evidenceOf(first),
    ...(first?.against ?? []).flatMap((id) => known.get(id) ?? []),
    ...others.flatMap(evidenceOf),
    ...verdict.evidence,
  ]);
  const evidence = [...ordered].map((one) => evidenceChoice(one, say));
  const lead = evidenceOf(first).length;
  const causes = verdict.causes
    .slice(0, CAUSES_MAX)
    .map((one, at) => causeChoice(one, at + 1, say));
  const sources = Object.entries(verdict.sources).map(([name, one]) =>
    sourceChoice(name, one, say),
  );
  const open = verdict.reason === undefined ? [] : [[{ open: say(verdict.reason, 300) }]];
  return {
    first: [
      ...causes.slice(0, 1),
      ...results.map((result) => resultChoice(result, say)),
      ...evidence.slice(0, lead),
      ...sources,
      ...open,
      ...causes.slice(1),
    ],
    tools: tools.slice(0, TOOLS_MAX).map((tool) => toolChoice(tool, say)),
    rest: [
      ...seenBefore.slice(0, SEEN_MAX).map((one) => seenChoice(one, say)),
      ...evidence.slice(lead),
    ],
  };
}

type Say = (text: string, charsMax: number) => string;

function causeChoice(cause: CauseJson, rank: number, say: Say): Choice {
  const { service, mechanism, location, confidence, evidence, against, affected } = cause;
  const told = {
    rank,
    service: say(service, NAME_CHARS_MAX),
    mechanism: say(mechanism, NAME_CHARS_MAX),
    ...(location === undefined ? {} : { location: say(location, NAME_CHARS_MAX) }),
    confidence,
    evidence: evidence.slice(0, 10),
  };
  const suffers = affected.slice(0, 8).map((name) => say(name, NAME_CHARS_MAX));
  return [{ ...told, against: against.slice(0, 10), affected: suffers }, told];
}

function evidenceChoice({ id, source, finding }: Verdict["evidence"][number], say: Say): Choice {
  const {
    kind,
    service,
    summary,
    value,
    baseline,
    recent,
    unit,
    exemplars = [],
    anomalous,
  } = finding;
  const head = { id, source, kind, service: say(service, NAME_CHARS_MAX) };
  const told = { ...head, summary: say(summary, SUMMARY_CHARS_MAX) };
  const peer = finding.peer === undefined ? {} : { peer: say(finding.peer, NAME_CHARS_MAX) };
  const measured = {
    ...told,
    ...peer,
    ...numbers({ value, baseline, recent }),
    ...(unit === undefined ? {} : { unit: say(unit, 40) }),
    ...(anomalous ? {} : { anomalous }),
  };
  const [line] = exemplars;
  const whole = line === undefined ? [] : [{ ...measured, line: say(line, LINE_CHARS_MAX) }];
  return [...whole, measured, told, { ...head, summary: say(summary, 80) }];
}

/** As many digits as matter. */
function numbers(values: Readonly<Record<string, number | undefined>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Number(value.toPrecision(4))] as const],
    ),
  );
}

function sourceChoice(name: string, { status, findings, reason }: SourceResult, say: Say): Choice {
  const told = { from: name, status, findings };
  return reason === undefined ? [told] : [{ ...told, reason: say(reason, 200) }, told];
}

function seenChoice({ at, cause, isConfirmed, similarity }: SeenBefore, say: Say): Choice {
  const seen = say(at, 30);
  return [{ seenBefore: seen, cause: say(cause, 200), isConfirmed, similarity }];
}

function toolChoice({ name, description, input }: ToolWords, say: Say): Choice {
  const told = { tool: say(name, NAME_CHARS_MAX) };
  const properties = input["properties"];
  const parameters =
    typeof properties === "object" && properties !== null
      ? Object.entries(properties)
          .slice(0, PARAMETERS_MAX)
          .map(([key, node]) => `${say(key, 40)}: ${typeOf(node)}`)
      : [];
  const described = { ...told, about: say(description, 160), arguments: parameters.join(", ") };
  return [described, { ...told, arguments: parameters.join(", ") }];
}

function typeOf(node: unknown): string {
  const type = typeof node === "object" && node !== null && "type" in node ? node.type : "any";
  return typeof type === "string" && /^[a-z]{1,10}$/.test(type) ? type : "any";
}

function resultChoice({ id, tool, text }: ToolResult, say: Say): Choice {
  const told = { id, tool: say(tool, NAME_CHARS_MAX) };
  return [RESULT_CHARS_MAX, 1_000, 300].map((charsMax) => ({
    ...told,
    result: say(text, charsMax),
  }));
}
