/**
 * Explains a ranking in plain words without a language model: the same ranking gives the same text.
 * What it says of the services rests on evidence it cites by id; it quotes no exemplar.
 */
import { formatWindow } from "../core/mod.ts";
import type { Cause, Evidence } from "./causes.ts";
import { clip } from "./detect/draft.ts";

/** What there is to explain: the ranking of a window, and how the look at it ended. */
export interface ExplainInput {
  readonly window: { readonly start: string; readonly end: string };
  readonly outcome: "quiet" | "incident" | "inconclusive";
  /** Why it is inconclusive, or what could not be looked at. */
  readonly reason?: string | undefined;
  readonly causes: readonly ExplainedCause[];
  readonly evidence: readonly Pick<Evidence, "id" | "finding">[];
}

export type ExplainedCause = Pick<
  Cause,
  "service" | "mechanism" | "confidence" | "evidence" | "affected" | "next"
> & { readonly location?: string | undefined };

export interface PlainWords {
  /** One line, the service first. */
  readonly title: string;
  /** Two to five sentences; evidence is cited as `[e1]`. */
  readonly text: string;
  /** Evidence ids that the text cites; all exist in the input. */
  readonly evidence: readonly string[];
  /** What to do next, plain sentences. */
  readonly next: readonly string[];
}

const TITLE_CHARS_MAX = 200;
const CITED_MAX = 3;
/** A cause below this confidence is told as a suspicion. */
const SURE_MIN = 0.5;
/** A second cause that reaches this share of the first's confidence is named. */
const RIVAL_SHARE = 0.4;

type Known = ReadonlyMap<string, Evidence["finding"]>;

/** Title, text and next steps for the first cause, or for a window without one. */
export function explainVerdict(input: ExplainInput): PlainWords {
  const [first, second] = input.causes;
  const when = whenOf(input);
  const open = input.reason === undefined ? [] : [`Open: ${clip(input.reason, 500)}.`];
  if (first === undefined) {
    const quiet = input.outcome === "quiet";
    const found = quiet ? "nothing was far enough from normal" : "no cause could be named";
    return {
      title: quiet ? "Nothing unusual" : "No verdict",
      text: [`Between ${when} ${found}.`, ...open].join(" "),
      evidence: [],
      next: quiet ? [] : ["Check the sources that did not answer, then look at this window again."],
    };
  }
  const known: Known = new Map(input.evidence.map(({ id, finding }) => [id, finding]));
  const cited = first.evidence.filter((id) => known.has(id)).slice(0, CITED_MAX);
  const near = (second?.confidence ?? 0) >= RIVAL_SHARE * first.confidence;
  const rival = near ? second : undefined;
  const rivalCited = rival?.evidence.find((id) => known.has(id) && !cited.includes(id));
  const sentences = [
    verdict(first, when, cited),
    ...findings(first.service, cited, known),
    ...consequences(first, rival, rivalCited),
    ...open,
  ];
  return {
    title: clip(titleOf(first), TITLE_CHARS_MAX),
    text: sentences.join(" "),
    evidence: rivalCited === undefined ? cited : [...cited, rivalCited],
    next: first.next,
  };
}

function whenOf({ window }: ExplainInput): string {
  const [startMs, endMs] = [Date.parse(window.start), Date.parse(window.end)];
  const known = Number.isFinite(startMs) && Number.isFinite(endMs);
  return known ? `${formatWindow({ startMs, endMs })} UTC` : "the window's start and end";
}

function titleOf(cause: ExplainedCause): string {
  return `${cause.service}: ${mechanismOf(cause)}`;
}

/** `network delay (towards ts-auth-service)`, `returns wrong data (between A#31 and A#34)`. */
function mechanismOf({ mechanism, location }: ExplainedCause): string {
  if (location === undefined || mechanism.includes(location)) return mechanism;
  const [from, to] = location.split("-> ", 2).map((part) => part.trim());
  if (!to) return `${mechanism} (${location})`;
  return `${mechanism} (${from ? `between ${from} and ${to}` : `towards ${to}`})`;
}

function verdict(cause: ExplainedCause, when: string, cited: readonly string[]): string {
  const how = cause.confidence >= SURE_MIN ? "is the most likely cause" : "may be the cause";
  const percent = Math.round(cause.confidence * 100);
  const marks = cited.map((id) => `[${id}]`).join("");
  return `Between ${when} ${cause.service} ${how}: ${mechanismOf(cause)}, confidence ${percent} % ${marks}.`;
}

/** One sentence with what the first evidence says, each part with its id, and with whose it is. */
function findings(cause: string, cited: readonly string[], known: Known): string[] {
  const parts = cited.slice(0, 2).map((id) => {
    const { service = cause, summary = "" } = known.get(id) ?? {};
    const whose = service === cause ? "" : `${service}: `;
    return `${whose}${clip(summary, 300).replace(/\.$/, "")} [${id}]`;
  });
  return parts.length === 0 ? [] : [`${parts.join("; ")}.`];
}

/** At most one sentence: who suffers, or which other cause fits nearly as well. */
function consequences(
  cause: ExplainedCause,
  rival: ExplainedCause | undefined,
  cited: string | undefined,
): string[] {
  const sentences: string[] = [];
  if (cause.affected.length > 0) {
    const shown = cause.affected.slice(0, 3).join(", ");
    const more = cause.affected.length > 3 ? ` and ${cause.affected.length - 3} more` : "";
    sentences.push(`${shown}${more} suffer${cause.affected.length === 1 ? "s" : ""} from it.`);
  }
  if (rival !== undefined) {
    const mark = cited === undefined ? "" : ` [${cited}]`;
    sentences.push(`${rival.service} (${rival.mechanism}) cannot be ruled out${mark}.`);
  }
  return sentences;
}
