/**
 * Holds a model's answer against the evidence. What cites nothing that exists, says what its citations do
 * not say, names whom nobody knows or reads like an order is struck, with the reason; what is left may be
 * told. It asks nobody and trusts no word of the answer. Pure: the same answer and evidence, the same end.
 */
import type { CauseJson } from "../sre/records.ts";
import type { Answer } from "./answer.ts";
import type { Fact, Ground } from "./facts.ts";
import { faultOf } from "./manners.ts";
import type { Statement, StatementKind, Struck } from "./record.ts";
import { STATEMENT_KINDS } from "./record.ts";
import { claimOf, unsupported } from "./support.ts";
import { comparable, nameKey, oneLine, restored, withoutMarks } from "./text.ts";
import { sentencesOf, withoutQuotes } from "./wording.ts";

export interface Verified {
  /** The headline first, then in the order they are told. */
  readonly statements: readonly Statement[];
  readonly next: readonly string[];
  readonly struck: readonly Struck[];
  /** The ranked cause the answer names, if it names one of them by its own mechanism. */
  readonly cause: CauseJson | undefined;
  /** Whether what happened, or why, is among what is left. Without, the statistics' words stand. */
  readonly stands: boolean;
}

const STATEMENT_CHARS_MAX = 600;
const STEP_CHARS_MAX = 400;
const STRUCK_MAX = 20;
/** Who repeats as many words of a log in a row, and does not quote them, speaks for the log. */
const REPEATED_WORDS = 4;

interface Told {
  readonly text: string;
  readonly evidence: readonly string[];
}

/** Checks all of an answer. `redact` passes over every text that is kept, the struck ones too. */
export function verify(answer: Answer, ground: Ground, redact: (text: string) => string): Verified {
  const struck: Struck[] = [];
  const strike = (text: string, why: string) => {
    const shown = oneLine(redact(text.slice(0, 4 * STATEMENT_CHARS_MAX)), STATEMENT_CHARS_MAX);
    struck.push({ text: shown, why: oneLine(redact(why), 300) });
  };
  const cause = namedCause(answer.rootCause, ground, strike);
  const statements: Statement[] = [];
  const seen = new Set<string>();
  const all = [{ kind: "what" as const, ...answer.headline }, ...inOrder(answer.statements)];
  for (const { kind, text, evidence } of all) {
    const key = nameKey(text.slice(0, STATEMENT_CHARS_MAX));
    if (seen.has(key)) continue;
    seen.add(key);
    const why = faultOfStatement(kind, { text, evidence }, ground);
    if (why !== undefined) strike(text, why);
    else statements.push({ kind, text: redact(restored(text)), evidence: [...new Set(evidence)] });
  }
  const next: string[] = [];
  for (const step of answer.next) {
    const why = faultOfStep(step, ground);
    if (why !== undefined) strike(step.text, why);
    else next.push(redact(restored(step.text)));
  }
  const stands = statements.some(({ kind }) => kind === "what" || kind === "cause");
  return { statements, next, struck: struck.slice(0, STRUCK_MAX), cause, stands };
}

function inOrder(statements: Answer["statements"]): Answer["statements"] {
  const place = ({ kind }: { kind: StatementKind }) => STATEMENT_KINDS.indexOf(kind);
  return [...statements].sort((a, b) => place(a) - place(b));
}

/** Why a statement may not be told; undefined when it may. */
export function faultOfStatement(
  kind: StatementKind,
  told: Told,
  ground: Ground,
): string | undefined {
  const wrong = faultOfForm(told, STATEMENT_CHARS_MAX, "statement");
  if (wrong !== undefined) return wrong;
  const cited = citedBy(told.evidence, ground);
  if (!Array.isArray(cited)) return cited.why;
  if (cited.every(({ isTool }) => isTool)) return "cites tools alone, and no finding";
  if (repeats(withoutQuotes(comparable(withoutMarks(told.text))), ground))
    return "repeats a recorded line without quoting it";
  return unsupported(claimOf(kind === "blast" ? "blast" : "told", told.text, cited, ground));
}

/** How the sentences of a step begin. */
const STEP =
  /^(?:then |also |first |next |now |and )?(?:look|check|compare|inspect|review|verify|measure|take|read|find|free|restart|roll|raise|increase|reduce|lower|limit|scale|examine|investigate|confirm|correlate|identify|analy[sz]e|monitor|watch|trace|determine|profile|consider|search|see|rule out|narrow|focus|make sure|ensure|if|where|when)\b/;

/** Why a next step may not be told. It tells what to look at, in words of ours and not of a log line. */
export function faultOfStep(told: Told, ground: Ground): string | undefined {
  const wrong = faultOfForm(told, STEP_CHARS_MAX, "step");
  if (wrong !== undefined) return wrong;
  const cited = citedBy(told.evidence, ground);
  if (!Array.isArray(cited)) return cited.why;
  if (sentencesOf(told.text).some((one) => !STEP.test(one))) return "does not say what to look at";
  if (repeats(comparable(told.text), ground)) return "repeats a recorded line";
  return unsupported(claimOf("step", told.text, cited, ground));
}

function faultOfForm(
  { text }: Told,
  charsMax: number,
  kind: "statement" | "step",
): string | undefined {
  if (text.trim() === "") return "says nothing";
  // First, so that all the patterns that follow see short text.
  if (text.length > charsMax) return `is longer than ${charsMax} characters`;
  return faultOf(text, kind);
}

function citedBy(ids: readonly string[], { facts }: Ground): Fact[] | { why: string } {
  if (ids.length === 0) return { why: "cites nothing" };
  const missing = ids.find((id) => !facts.has(id));
  if (missing !== undefined) return { why: `cites ${oneLine(missing, 20)}, which does not exist` };
  return [...new Set(ids)].flatMap((id) => facts.get(id) ?? []);
}

/** Whether a text has {@link REPEATED_WORDS} words in a row that were logged, and that nobody measured. */
function repeats(text: string, { facts }: Ground): boolean {
  const all = [...facts.values()];
  const logged = all.flatMap((fact) => fact.logged.map(wordRun));
  const measured = all.map((fact) => wordRun(`${fact.ownText} ; ${fact.causeText}`));
  const words = text.match(WORD) ?? [];
  return words.some((_, at) => {
    const run = words.slice(at, at + REPEATED_WORDS);
    if (run.length < REPEATED_WORDS) return false;
    const part = ` ${run.join(" ")} `;
    return logged.some((one) => one.includes(part)) && !measured.some((one) => one.includes(part));
  });
}

const WORD = /[\p{L}\p{N}]+/gu;

function wordRun(text: string): string {
  return ` ${(text.match(WORD) ?? []).join(" ")} `;
}

/** The ranked cause that is meant, by service and mechanism, with evidence of its own. */
function namedCause(
  root: Answer["rootCause"],
  { causes, facts }: Ground,
  strike: (text: string, why: string) => void,
): CauseJson | undefined {
  if (root === null) return undefined;
  const said = `${root.service}: ${root.mechanism}`;
  const ofService = causes.filter(({ service }) => nameKey(service) === nameKey(root.service));
  if (ofService.length === 0) {
    strike(said, "names a root cause that the statistics do not");
    return undefined;
  }
  const found = ofService.find(({ mechanism }) => nameKey(mechanism) === nameKey(root.mechanism));
  if (!found) {
    strike(said, "names another mechanism than the statistics");
    return undefined;
  }
  const own = new Set([...found.evidence, ...found.against]);
  const isOwn = root.evidence.some((id) => found.evidence.includes(id));
  const stranger = root.evidence.find(
    (id) => !facts.has(id) || (!own.has(id) && !facts.get(id)?.isTool),
  );
  if (isOwn && stranger === undefined) return found;
  strike(said, "rests the root cause on evidence that is not its own");
  return undefined;
}
