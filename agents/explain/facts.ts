/**
 * What each piece of evidence says, taken apart once so that statements can be held against it: words,
 * numbers, moments, services, topics. Evidence of the verdict, and results of tools gathered while digging.
 */
import type { Finding } from "../../streams/mod.ts";
import type { CauseJson, Verdict } from "../sre/records.ts";
import { measured, sharesIn } from "./measured.ts";
import { type ServiceBook, serviceBook, servicesIn } from "./names.ts";
import { numbersOf, type Quantity } from "./numbers.ts";
import { stemsOf } from "./stems.ts";
import { comparable } from "./text.ts";
import { loggedTopics, passingTopics, type Topic, topicsOf, topicsOfFinding } from "./topics.ts";

/** A tool's answer under the id that statements cite: `t1`. Redacted and cut. */
export interface ToolResult {
  readonly id: string;
  readonly tool: string;
  readonly text: string;
}

export interface Fact {
  readonly id: string;
  readonly isTool: boolean;
  /** Whom it is about by itself. */
  readonly services: ReadonlySet<string>;
  /** Services of the causes it speaks for. */
  readonly culprits: ReadonlySet<string>;
  /** Who suffers from these causes: may be named with it, and not alone. */
  readonly sufferers: ReadonlySet<string>;
  /** Everything it says, in the comparable form. */
  readonly text: string;
  /** Of it, what the statistics say in words of their own. */
  readonly ownText: string;
  /** Of the causes it speaks for. */
  readonly causeText: string;
  /** What of it was logged, word for word, in the comparable form; anybody may have written it. */
  readonly logged: readonly string[];
  readonly quantities: readonly Quantity[];
  /** Of these, the measurements: no line of a log has a part in them. */
  readonly measured: readonly Quantity[];
  readonly moments: readonly string[];
  readonly stems: ReadonlySet<string>;
  /** Of what the statistics say of it, without what was logged. A statement needs some of these. */
  readonly ownStems: ReadonlySet<string>;
  readonly topics: ReadonlySet<Topic>;
  readonly ownTopics: ReadonlySet<Topic>;
  readonly direction: Finding["direction"] | undefined;
}

/** All that is known in one investigation. */
export interface Ground {
  readonly facts: ReadonlyMap<string, Fact>;
  readonly book: ServiceBook;
  readonly causes: readonly CauseJson[];
}

export function groundOf(verdict: Verdict, results: readonly ToolResult[] = []): Ground {
  const { causes, evidence, window } = verdict;
  const book = serviceBook([
    ...causes.flatMap((cause) => [cause.service, ...cause.affected]),
    ...evidence.flatMap(({ finding }) => ownServices(finding)),
  ]);
  const ofWindow = windowNumbers(window);
  const facts = [
    ...evidence.map(({ id, finding }) => {
      return factOf({ id, finding, causes: causesOf(id, causes), book, ofWindow });
    }),
    ...results.map((result) => toolFact(result, book, ofWindow)),
  ];
  return { facts: new Map(facts.map((fact) => [fact.id, fact])), book, causes };
}

function causesOf(id: string, causes: readonly CauseJson[]): CauseJson[] {
  return causes.filter(({ evidence, against }) => evidence.includes(id) || against.includes(id));
}

function ownServices({ service, peer, mentions = [], summary }: Finding): string[] {
  return [service, ...(peer === undefined ? [] : [peer]), ...mentions, ...spokenOf(summary)];
}

/** Services that a summary names in the detector's own words: `of ts-basic-service`. */
function spokenOf(summary: string): string[] {
  return unquoted(summary).match(/(?<![\w-])[A-Za-z]\w*(?:-\w+)+(?![\w-])/g) ?? [];
}

type WindowNumbers = Pick<Fact, "quantities" | "moments">;

/** Its moments, and its length. */
function windowNumbers({ start, end }: Verdict["window"]): WindowNumbers {
  const lengthMs = Date.parse(end) - Date.parse(start);
  const length: Quantity = { value: lengthMs, unit: "ms", step: 1 };
  return {
    moments: [...numbersOf(start).moments, ...numbersOf(end).moments],
    quantities: Number.isFinite(lengthMs) ? [length] : [],
  };
}

interface Found {
  readonly id: string;
  readonly finding: Finding;
  readonly causes: readonly CauseJson[];
  readonly book: ServiceBook;
  readonly ofWindow: WindowNumbers;
}

function factOf({ id, finding, causes, book, ofWindow }: Found): Fact {
  const { own, logged } = wordsOf(finding);
  const lines = (finding.exemplars ?? []).map(comparable);
  const text = [own, ...logged, ...lines].join(" \n ");
  const cause = comparable(causes.map(wordsOfCause).join(" \n "));
  // A service that is called ts-user-service tells nothing of users.
  const about = (words: string) => servicesIn(words, book).rest;
  const numbers = numbersOf(text);
  const ofFinding = measured(finding);
  const ownTopics = [
    ...topicsOfFinding(finding),
    ...topicsOf(about(own)),
    ...topicsOf(about(cause)),
  ];
  return {
    id,
    isTool: false,
    services: new Set(ownServices(finding)),
    culprits: new Set(causes.map((one) => one.service)),
    sufferers: new Set(causes.flatMap(({ affected }) => affected)),
    text,
    ownText: own,
    causeText: cause,
    logged: [...logged, ...lines],
    quantities: [
      ...numbers.quantities,
      ...ofFinding,
      ...sharesIn(own),
      ...causes.map((one): Quantity => ({ value: 100 * one.confidence, unit: "percent", step: 1 })),
      ...ofWindow.quantities,
    ],
    measured: ofFinding,
    moments: [...numbers.moments, ...ofWindow.moments],
    stems: new Set([...stemsOf(text), ...stemsOf(cause)]),
    ownStems: new Set([...stemsOf(own), ...stemsOf(cause)]),
    topics: new Set([
      ...ownTopics,
      ...logged.flatMap((words) => [...loggedTopics(about(words))]),
      ...lines.flatMap((words) => [...passingTopics(about(words))]),
    ]),
    ownTopics: new Set(ownTopics),
    direction: finding.direction,
  };
}

/** What a finding says in the detector's words, and what it quotes; both in the comparable form. */
function wordsOf(finding: Finding): { own: string; logged: string[] } {
  const { summary, template, exception, codeLocation, metric = "", rule = "", unit = "" } = finding;
  const own = [unquoted(summary), metric.replaceAll("_", " "), metric, rule, unit].join(" \n ");
  const quoted = [summary, template, exception, codeLocation].flatMap((one) => one ?? []);
  return { own: comparable(own), logged: quoted.map(comparable) };
}

/** A summary without what stands between its first and last quote, or in braces: that is others' text. */
function unquoted(summary: string): string {
  return without(without(summary, '"', '"'), "{", "}");
}

/** A text without what lies from the first of one sign to the last of the other, or to its end. */
function without(text: string, open: string, close: string): string {
  const from = text.indexOf(open);
  if (from < 0) return text;
  const to = text.lastIndexOf(close);
  return `${text.slice(0, from)} ${to > from ? text.slice(to + 1) : ""}`;
}

function wordsOfCause({ mechanism, resource = "", location = "" }: CauseJson): string {
  return `${mechanism} ; ${resource.replaceAll("_", " ")} ; ${location}`;
}

function toolFact({ id, text }: ToolResult, book: ServiceBook, ofWindow: WindowNumbers): Fact {
  const { quantities, moments } = numbersOf(text);
  const { named } = servicesIn(text, book);
  const said = comparable(text);
  return {
    id,
    isTool: true,
    services: named,
    culprits: new Set(),
    sufferers: new Set(),
    text: said,
    ownText: "",
    causeText: "",
    logged: [said],
    quantities: [...quantities, ...ofWindow.quantities],
    measured: [],
    moments: [...moments, ...ofWindow.moments],
    stems: stemsOf(said),
    ownStems: new Set(),
    topics: passingTopics(servicesIn(said, book).rest),
    ownTopics: new Set(),
    direction: undefined,
  };
}
