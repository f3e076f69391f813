/**
 * The plain words of a notice, the same in every sink that people read: harmless, escaped for the medium,
 * cut to an extent, and saying so where something is left out. Knows no medium's markup.
 */
import type { Notice, NoticeEvidence, SeenBefore, ToolUse } from "./notice.ts";
import { asIs, cut, type Escape, harmless, minute, oneLine, webAddress } from "./text.ts";

/** How much of a notice there is room for. Characters are counted after escaping. */
export interface Extent {
  readonly headingChars: number;
  readonly textChars: number;
  /** Of every other line. */
  readonly lineChars: number;
  readonly evidence: number;
  readonly next: number;
  readonly seen: number;
  readonly remarks: number;
  readonly affected: number;
  readonly links: number;
  readonly tools: number;
}

export const WHOLE: Extent = {
  headingChars: 500,
  textChars: 4_000,
  lineChars: 1_800,
  evidence: 20,
  next: 10,
  seen: 5,
  remarks: 11,
  affected: 50,
  links: 20,
  tools: 50,
};
export const SHORT: Extent = {
  headingChars: 300,
  textChars: 2_900,
  lineChars: 500,
  evidence: 8,
  next: 5,
  seen: 3,
  remarks: 5,
  affected: 20,
  links: 4,
  tools: 0,
};
export const SHORTEST: Extent = {
  headingChars: 200,
  textChars: 800,
  lineChars: 200,
  evidence: 3,
  next: 2,
  seen: 1,
  remarks: 2,
  affected: 5,
  links: 1,
  tools: 0,
};

export interface Linked {
  readonly text: string;
  /** http(s), safe in plain text, HTML and Slack's markup; not escaped further. */
  readonly url: string | undefined;
}

/** Every text is escaped and within its extent. Empty lists are left out by who shows them. */
export interface Words {
  /** `CRITICAL opened: payment-service: …`. */
  readonly heading: string;
  /** May have several lines. */
  readonly text: string;
  /** `confidence 0.95 · 2 windows since 2026-03-13 14:20 UTC`. */
  readonly facts: string;
  readonly evidence: readonly Linked[];
  /** `affected: order-service, api-gateway`; undefined where nobody is. */
  readonly affected: string | undefined;
  readonly next: readonly string[];
  readonly seenBefore: readonly string[];
  readonly remarks: readonly string[];
  readonly links: readonly Linked[];
  readonly tools: readonly string[];
  /** What a language model cost; undefined where none was asked. */
  readonly cost: string | undefined;
  /** `incident … · notice … · written by statistics`. */
  readonly ids: string;
  /** What was left out for want of room; undefined where nothing was. */
  readonly isCut: string | undefined;
}

/** Says a notice in words. */
export function wordsOf(notice: Notice, extent: Extent, escape: Escape = asIs): Words {
  const left: string[] = [];
  const shorten = (what: string, text: string, charsMax: number) => {
    if (escape(text).length > charsMax && !left.includes(what)) left.push(what);
    return cut(text, charsMax, escape);
  };
  const line = (what: string, text: string) => shorten(what, oneLine(text), extent.lineChars);
  const first = <T>(what: string, all: readonly T[], max: number) => {
    if (all.length > max) left.push(`${what} (${max} of ${all.length})`);
    return all.slice(0, max);
  };
  const lines = (what: string, all: readonly string[], max: number) =>
    first(what, all, max).map((one) => line(what, one));
  const linked = (what: string, text: string, url: string | undefined) => {
    const address = webAddress(url);
    if (url !== undefined && address === undefined) left.push(`the link of ${what}`);
    return { text: line(what, text), url: address };
  };
  const { affected, evidence, links } = notice;
  const words = {
    heading: shorten("title", headingOf(notice), extent.headingChars),
    text: shorten("text", harmless(notice.text), extent.textChars),
    facts: line("facts", factsOf(notice)),
    evidence: first("evidence", evidence, extent.evidence).map((one) =>
      linked(one.id, evidenceWords(one), one.link),
    ),
    affected:
      affected.length === 0
        ? undefined
        : line("affected", `affected: ${first("affected", affected, extent.affected).join(", ")}`),
    next: lines("next steps", notice.next, extent.next),
    seenBefore: lines("seen before", notice.seenBefore.map(seenWords), extent.seen),
    remarks: lines("remarks", remarksOf(notice), extent.remarks),
    links: first("links", links, extent.links)
      .map(({ title, url }) => linked("links", title || "open", url))
      .filter(({ url }) => url !== undefined),
    tools: extent.tools === 0 ? [] : lines("tools", notice.appendix.map(toolWords), extent.tools),
    cost: notice.cost.calls === 0 ? undefined : line("cost", costWords(notice)),
    ids: line("ids", `incident ${notice.incident} · notice ${notice.id} · written by ${notice.by}`),
  };
  return { ...words, isCut: left.length === 0 ? undefined : escape(cutWords(left)) };
}

/** The first of `extents` whose rendering fits; the last one's where none does. */
export function firstThatFits<T>(
  extents: readonly [Extent, ...Extent[]],
  render: (extent: Extent) => T,
  fits: (rendered: T) => boolean,
): T {
  let rendered = render(extents[0]);
  for (const extent of extents.slice(1)) {
    if (fits(rendered)) break;
    rendered = render(extent);
  }
  return rendered;
}

/** All of it as lines of plain text. */
export function linesOf(words: Words): string[] {
  const { cost, isCut, affected } = words;
  const links = words.links.map(withAddress).map((text) => `link: ${text}`);
  return [
    words.heading,
    ...words.text.split("\n"),
    words.facts,
    ...words.evidence.map(withAddress),
    ...(affected === undefined ? [] : [affected]),
    ...words.next.map((step) => `next: ${step}`),
    ...words.seenBefore,
    ...words.remarks.map((remark) => `note: ${remark}`),
    ...links,
    ...words.tools.map((tool) => `tool: ${tool}`),
    ...(cost === undefined ? [] : [cost]),
    words.ids,
    ...(isCut === undefined ? [] : [isCut]),
  ];
}

function withAddress({ text, url }: Linked): string {
  return url === undefined ? text : `${text} ${url}`;
}

/** What happened, as a reader's first words: an incident that is over is no longer critical. */
export function stateOf({ change, severity }: Notice): string {
  if (change === "resolved") return "RESOLVED";
  return `${severity.toUpperCase()} ${change}`;
}

function headingOf(notice: Notice): string {
  return oneLine(`${stateOf(notice)}: ${notice.title}`);
}

function factsOf({ confidence, windows, openedAt, window, mechanism, location, kind }: Notice) {
  const where = location === undefined ? "" : ` (${location})`;
  const seen = `${some(windows, "window")} since ${minute(openedAt)} UTC`;
  const last = `last ${minute(window.start)} to ${minute(window.end).slice(-5)}`;
  const sure = kind === "fault" ? [`confidence ${confidence.toFixed(2)}`] : [kind];
  return [`${mechanism}${where}`, ...sure, seen, last].join(" · ");
}

function evidenceWords({ id, source, service, summary }: NoticeEvidence): string {
  return `[${id}] ${source}, ${service}: ${summary}`;
}

function seenWords({ at, cause, isConfirmed, similarity, incident }: SeenBefore): string {
  const sure = isConfirmed ? "confirmed" : "not confirmed";
  const day = minute(at).slice(0, 10);
  return `seen before on ${day}, cause ${cause} (${sure}), ${Math.round(similarity * 100)} % alike, incident ${incident}`;
}

function remarksOf({ remarks, struck }: Notice): string[] {
  if (struck === 0) return [...remarks];
  const what = struck === 1 ? "1 statement of the model" : `${struck} statements of the model`;
  return [`${what} did not hold against the evidence and was left out`, ...remarks];
}

function toolWords({ tool, outcome, note, tookMs, arguments: given }: ToolUse): string {
  return `${tool} ${given} → ${outcome}, ${Math.round(tookMs)} ms: ${note}`;
}

function costWords({ cost }: Notice): string {
  const { calls, toolCalls, promptTokens, completionTokens, usd } = cost;
  const price = usd === 0 ? "" : `, $${usd.toFixed(4)}`;
  const tokens = `${promptTokens} + ${completionTokens} tokens`;
  return `cost: ${some(calls, "LLM call")}, ${some(toolCalls, "tool call")}, ${tokens}${price}`;
}

function some(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function cutWords(left: readonly string[]): string {
  const what = cut([...new Set(left)].join(", "), 200);
  return `shortened: ${what}; \`petrel incidents show\` has all of it`;
}
