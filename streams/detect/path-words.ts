/** Writes a changed step as a finding: its sentence, its place in the code, and what an error there says. */
import type { LogSummary, TemplateCounts } from "../model.ts";
import { codeLocationOf } from "../transitions.ts";
import { clip, type Draft, short } from "./draft.ts";
import type { Step } from "./steps.ts";
import { symptomOf } from "./symptoms.ts";
import { exemplarsOf, mentionsOf, type TextOptions } from "./text.ts";

/** Looks statements up: their words, and for an error the template behind it. */
export class StatementBook {
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

/** What the detector decided of a step. */
export interface Verdict {
  readonly score: number;
  readonly anomalous: boolean;
  readonly early: boolean;
  /** The statement that no longer follows. */
  readonly lost: string | undefined;
}

/** The finding of a step. */
export function draftOf(step: Step, verdict: Verdict, book: StatementBook): Draft {
  const { service } = step;
  const early = verdict.early && step.to !== "" ? " Requests end there." : "";
  const instead =
    verdict.lost === undefined || verdict.lost === step.to
      ? ""
      : ` ${book.words(service, verdict.lost)} is missing.`;
  const summary = `${wayOf(step, book)}.${instead}${early}`;
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

/** `After A the error B follows in 19 of 20 traces, before in 0 of 6`. */
function wayOf(step: Step, book: StatementBook): string {
  const { service, from, to } = step;
  const shares = `in ${short(step.now)} of ${short(step.ofNow)} traces, before in ${short(step.before)} of ${short(step.ofBefore)}`;
  const next = `${step.error ? "the error " : ""}${book.words(service, to)}`;
  if (from === "") return `Requests begin with ${next} ${shares}`;
  if (to === "") return `After ${book.words(service, from)} the request ends ${shares}`;
  return `After ${book.words(service, from)} ${next} follows ${shares}`;
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
    ...(template.frame === undefined ? {} : { codeLocation: clip(template.frame, 200) }),
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
