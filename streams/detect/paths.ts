/**
 * Finds requests that take another way through a service's code: after statement A came B, now comes
 * C. The idea is Nezha's (Yu et al., FSE 2023: ranking event patterns that appear or vanish), here per
 * source statement with an exact test.
 *
 * Two points of method. The trace is the unit of counting, since a loop writes a hundred dependent
 * lines. And ways that end in an error are set apart: normal ways are compared with normal ways only,
 * so that a baseline with errors in it does not make their absence look like a fault.
 */
import type { LogSummary, StatementCounts, TemplateCounts, TransitionCounts } from "../model.ts";
import { adjustedPs, commonScore, fisherLeastP, fisherP, zOfP } from "../stats.ts";
import { codeLocationOf } from "../transitions.ts";
import { aliases } from "./align.ts";
import { clip, DISCOVERY_RATE, type Draft, NOTABLE } from "./draft.ts";
import { symptomOf } from "./symptoms.ts";
import { exemplarsOf, mentionsOf, type TextOptions } from "./text.ts";

/** A branch that both windows take depends on the data, so a shift in it says less. */
const SHIFT_WEIGHT = 0.5;
/**
 * Which entry point is called is the callers' choice; but one that falls silent may fail before its
 * first line.
 */
const ENTRY_WEIGHT = { rises: 0.5, falls: 0.7 } as const;
/** Steps that cannot come below this p are not tested. */
const TESTABLE_P = 0.01;
/** Below this share of its former frequency a branch counts as gone. */
const GONE_SHARE = 0.1;
/** A fall of this much in the share of traces that go on to a statement makes it the lost one. */
const LOST_SHARE = 0.3;
/** A rise of this much in the share of requests that end here says that something cut them off. */
const EARLY_SHARE = 0.3;
/** Weaker changes are left out; between this and NOTABLE they only support other findings. */
const SUPPORT_MIN = 2;

interface Ways {
  readonly counts: Map<string, TransitionCounts>;
  readonly statements: Map<string, StatementCounts>;
}

interface Step {
  readonly service: string;
  readonly from: string;
  readonly to: string;
  readonly error: boolean;
  readonly now: number;
  readonly ofNow: number;
  readonly before: number;
  readonly ofBefore: number;
  readonly p: number;
}

function waysOf(summary: LogSummary, alias: ReadonlyMap<string, string>): Ways {
  const named = (statement: string) => alias.get(statement) ?? statement;
  const counts = new Map<string, TransitionCounts>();
  const statements = new Map<string, StatementCounts>();
  for (const row of summary.paths?.statements.values() ?? []) {
    const statement = named(row.statement);
    statements.set(`${row.service}>${statement}`, { ...row, statement });
  }
  for (const row of summary.paths?.transitions.values() ?? []) {
    const [from, to] = [named(row.from), named(row.to)];
    counts.set(`${row.service}>${from}>${to}`, { ...row, from, to });
  }
  return { counts, statements };
}

function stepOf(key: string, now: Ways, before: Ways): Step | undefined {
  const row = now.counts.get(key) ?? before.counts.get(key);
  if (row === undefined) return undefined;
  const { service, from, to, error } = row;
  const passed = (ways: Ways) => {
    const source = ways.statements.get(`${service}>${from}`);
    return (source?.traces ?? 0) - (error ? 0 : (source?.erredTraces ?? 0));
  };
  const [ofNow, ofBefore] = [passed(now), passed(before)];
  if (ofNow <= 0 || ofBefore <= 0) return undefined;
  const nowCount = Math.min(now.counts.get(key)?.traces ?? 0, ofNow);
  const beforeCount = Math.min(before.counts.get(key)?.traces ?? 0, ofBefore);
  // An error that comes less often is no fault: that side is not tested at all.
  if (error && nowCount * ofBefore <= beforeCount * ofNow) return undefined;
  // Nor is what could not reach significance however the counts fell (Tarone 1990).
  if (fisherLeastP(nowCount + beforeCount, ofNow, ofBefore) > TESTABLE_P) return undefined;
  const p = fisherP(nowCount, ofNow, beforeCount, ofBefore);
  return { service, from, to, error, now: nowCount, ofNow, before: beforeCount, ofBefore, p };
}

/** How much a change of this sort says, from 0 to 1. */
function weightOf(step: Step): number {
  const [shareNow, shareBefore] = [step.now / step.ofNow, step.before / step.ofBefore];
  const rises = shareNow > shareBefore;
  const entry = step.from === "" ? ENTRY_WEIGHT[rises ? "rises" : "falls"] : 1;
  const novel = step.before === 0 || step.before === step.ofBefore;
  const gone = shareNow < GONE_SHARE * shareBefore;
  return entry * (novel || gone ? 1 : SHIFT_WEIGHT);
}

/** One finding per source statement: its strongest change. Empty without traces in both windows. */
export function detectPaths(current: LogSummary, baseline: LogSummary, text: TextOptions): Draft[] {
  const now = waysOf(current, aliases(current, baseline));
  const before = waysOf(baseline, new Map());
  const keys = new Set([...now.counts.keys(), ...before.counts.keys()]);
  const steps = [...keys]
    .map((key) => stepOf(key, now, before))
    .filter((step) => step !== undefined);
  const adjusted = adjustedPs(steps.map((step) => step.p));
  const best = new Map<string, { step: Step; score: number; discovered: boolean }>();
  for (const [index, step] of steps.entries()) {
    const score = commonScore(weightOf(step) * zOfP(step.p));
    const source = `${step.service}>${step.from}`;
    if (score < SUPPORT_MIN || score <= (best.get(source)?.score ?? 0)) continue;
    best.set(source, { step, score, discovered: (adjusted[index] ?? 1) <= DISCOVERY_RATE });
  }
  const early = endingEarly(steps);
  const lost = lostSteps(now, before);
  const book = new StatementBook([baseline, current], text);
  return [...best].map(([source, { step, score, discovered }]) =>
    draftOf(
      step,
      {
        score,
        anomalous: discovered && score >= NOTABLE,
        early: early.has(source),
        lost: lost.get(source),
      },
      book,
    ),
  );
}

/**
 * Per source, the next statement that is reached much less often than before. Between the two lies the
 * code to look at: the one is the last that ran as usual, the other should have followed.
 */
function lostSteps(now: Ways, before: Ways): Map<string, string> {
  const most = new Map<string, number>();
  const lost = new Map<string, string>();
  const shareOf = (ways: Ways, row: TransitionCounts) => {
    const count = ways.counts.get(`${row.service}>${row.from}>${row.to}`)?.traces ?? 0;
    return count / Math.max(1, ways.statements.get(`${row.service}>${row.from}`)?.traces ?? 0);
  };
  for (const row of before.counts.values()) {
    const source = `${row.service}>${row.from}`;
    const drop = shareOf(before, row) - shareOf(now, row);
    if (row.error || row.to === "" || drop < Math.max(LOST_SHARE, most.get(source) ?? 0)) continue;
    most.set(source, drop);
    lost.set(source, row.to);
  }
  return lost;
}

/** Sources after which many more requests end than before: what follows was never reached. */
function endingEarly(steps: readonly Step[]): Set<string> {
  return new Set(
    steps
      .filter(({ to }) => to === "")
      .filter((step) => step.now / step.ofNow - step.before / step.ofBefore >= EARLY_SHARE)
      .map((step) => `${step.service}>${step.from}`),
  );
}

/** Looks statements up: their words, and for an error the template behind it. */
class StatementBook {
  readonly #templates = new Map<string, TemplateCounts>();
  readonly text: TextOptions;

  constructor(summaries: readonly LogSummary[], text: TextOptions) {
    this.text = text;
    for (const template of summaries.flatMap((summary) => [...summary.templates.values()])) {
      const statement = codeLocationOf(template.logger) ?? template.id;
      this.#templates.set(`${template.service}>${statement}`, template);
    }
  }

  find(service: string, statement: string): TemplateCounts | undefined {
    return this.#templates.get(`${service}>${statement}`);
  }

  /** A code location speaks for itself; a template id is looked up. */
  words(service: string, statement: string): string {
    const template = this.find(service, statement);
    if (statement.includes("#") || template === undefined) return statement;
    return `"${clip(this.text.redact(template.template), 80)}"`;
  }
}

interface Verdict {
  readonly score: number;
  readonly anomalous: boolean;
  readonly early: boolean;
  /** The statement that no longer follows. */
  readonly lost: string | undefined;
}

function draftOf(step: Step, verdict: Verdict, book: StatementBook): Draft {
  const { service } = step;
  const from = step.from === "" ? "the start of the request" : book.words(service, step.from);
  const to = step.to === "" ? "the end of the request" : book.words(service, step.to);
  const times = `in ${step.now} of ${step.ofNow} traces, before in ${step.before} of ${step.ofBefore}`;
  const early = verdict.early && step.to !== "" ? " Requests end there." : "";
  const instead =
    verdict.lost === undefined || verdict.lost === step.to
      ? ""
      : ` ${book.words(service, verdict.lost)} is missing.`;
  const summary = `After ${from} ${step.error ? "the error " : ""}${to} follows ${times}.${instead}${early}`;
  const up = step.now * step.ofBefore > step.before * step.ofNow;
  const located = [step.from, verdict.lost ?? step.to].filter((part) => part.includes("#"));
  return {
    kind: "path_change",
    service,
    summary: clip(summary, 1_000),
    score: verdict.score,
    anomalous: verdict.anomalous,
    direction: directionOf(step, up),
    value: step.now / step.ofNow,
    baseline: step.before / step.ofBefore,
    unit: "share of traces",
    ...(located.length === 0 ? {} : { codeLocation: clip(located.join(" -> "), 200) }),
    ...errorParts(step, verdict, book),
  };
}

/** What an error at the end of the step tells: its text, and whom it names. */
function errorParts(step: Step, verdict: Verdict, book: StatementBook): Partial<Draft> {
  if (!step.error) return verdict.early ? { resource: "errors" } : {};
  const template = book.find(step.service, step.to);
  if (template === undefined) return { resource: "errors" };
  const words = [template.template, template.exception ?? "", ...template.exemplars].join("\n");
  const mentions = mentionsOf(words, book.text, step.service);
  return {
    resource: symptomOf(words)?.resource ?? "errors",
    // A statement without a code location is the framework's report, not the service's own word.
    ...(step.to.includes("#") ? {} : { templateId: clip(template.id, 64) }),
    template: clip(book.text.redact(template.template), 2_000),
    exemplars: exemplarsOf(template, book.text),
    ...(template.exception === undefined
      ? {}
      : { exception: clip(book.text.redact(template.exception), 200) }),
    ...(mentions.length === 0 ? {} : { mentions }),
  };
}

function directionOf(step: Step, up: boolean): Draft["direction"] {
  if (step.before === 0) return "new";
  if (step.now === 0) return "gone";
  return up ? "up" : "down";
}
