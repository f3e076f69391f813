/**
 * Shows investigations as they happen. On a terminal the last line is live; in a pipe every line is
 * final and nothing is repeated more than once in a while.
 */
import type { SourceResult, SreEvent, Verdict } from "../../agents/mod.ts";
import type { Notice } from "../../alarms/mod.ts";
import { formatWindow } from "../../core/mod.ts";
import { colour, count, isTerminal, link, oneLine, seconds, short } from "./text.ts";

const WIDTH = 20;
const EVIDENCE_SHOWN = 4;
const PROGRESS_EVERY_MS = 1_000;

type Explained = Extract<SreEvent, { type: "explained" }>["explanation"];
type Continued = Extract<SreEvent, { type: "continued" }>;

export class InvestigationView {
  readonly #write: (text: string) => void;
  readonly #nowMs: () => number;
  readonly #titles = new Map<string, string>();
  #live = "";
  #shownAtMs = 0;

  constructor(write: (text: string) => void, nowMs: () => number) {
    this.#write = write;
    this.#nowMs = nowMs;
  }

  show(event: SreEvent): void {
    switch (event.type) {
      case "window_opened":
        this.#titles.set(event.id, formatWindow(event.window));
        if (event.adopted)
          this.#line(event.id, colour("yellow", "taken over from an SRE agent that is gone"));
        break;
      case "task_sent":
        this.#line(event.id, `→ ${event.agent.padEnd(8)} task sent`);
        break;
      case "progress":
        this.#progress(event);
        break;
      case "source":
        this.#line(event.id, `← ${event.agent.padEnd(8)} ${sourceWords(event.result)}`);
        break;
      case "verdict":
        this.#verdict(event.verdict);
        break;
      case "explained":
        this.#explained(event.explanation);
        break;
      case "told":
        this.#told(event.notice);
        break;
      case "continued":
        this.#indent(colour("grey", `no new alarm: ${continuedWords(event)}`));
        break;
      case "closed":
        this.#titles.delete(event.id);
        break;
      default:
        event satisfies never;
    }
  }

  /** Removes the live line, if one is there. */
  end(): void {
    if (this.#live !== "") this.#write("\r\x1b[2K");
    this.#live = "";
  }

  #progress(event: Extract<SreEvent, { type: "progress" }>): void {
    const words = progressWords(event.data, event.text);
    if (isTerminal()) {
      this.end();
      this.#live = `${this.#title(event.id)}  … ${event.agent.padEnd(8)} ${words}`;
      this.#write(this.#live.slice(0, (process.stdout.columns ?? 100) - 1));
      return;
    }
    const now = this.#nowMs();
    const routine = event.data.rows === undefined || now - this.#shownAtMs < PROGRESS_EVERY_MS;
    if (event.data.done !== true && routine) return;
    this.#shownAtMs = now;
    this.#line(event.id, `… ${event.agent.padEnd(8)} ${words}`);
  }

  #verdict(verdict: Verdict): void {
    if (verdict.outcome === "quiet") {
      this.#line(verdict.id, `${colour("green", "● quiet")}   (0 LLM calls)`);
      return;
    }
    if (verdict.outcome === "inconclusive") {
      this.#indent(`${colour("yellow", "◆ inconclusive")}  ${oneLine(verdict.reason ?? "", 200)}`);
    } else {
      const { service = "?", mechanism = "?", location } = verdict.rootCause ?? {};
      const place = location ? ` · ${oneLine(location.replace(/^-> /, "towards "), 80)}` : "";
      this.#indent(
        `${colour("red", "▲ incident")}  ${colour("bold", oneLine(service, 80))} · ${oneLine(mechanism, 80)}${place} · confidence ${verdict.confidence.toFixed(2)}`,
      );
      if (verdict.reason) this.#indent(colour("yellow", oneLine(verdict.reason, 200)));
    }
    this.#evidence(verdict);
  }

  #evidence(verdict: Verdict): void {
    const cited = new Set(verdict.causes[0]?.evidence ?? []);
    const shown = verdict.evidence
      .filter(({ id }) => cited.size === 0 || cited.has(id))
      .slice(0, EVIDENCE_SHOWN);
    for (const { id, source, finding } of shown) {
      const label = source === "logs" ? "splunk ↗" : "metrics ↗";
      this.#indent(
        `   ${colour("cyan", id.padEnd(4))}${oneLine(finding.summary, 150)}  ${link(label, finding.link)}`,
      );
    }
    const affected = verdict.causes[0]?.affected ?? [];
    if (affected.length > 0)
      this.#indent(
        `   affected: ${affected
          .slice(0, 5)
          .map((name) => oneLine(name, 60))
          .join(", ")}`,
      );
  }

  #explained({ cost, text, by, next, remarks, struck }: Explained): void {
    // The statistics' words say again what the evidence lines said; a model's add to them.
    if (cost.calls > 0) this.#block(text, by);
    for (const remark of remarks) this.#indent(colour("yellow", oneLine(remark, 200)));
    if (struck.length > 0) {
      const words = `${count(struck.length)} statements of the model did not hold and are left out`;
      this.#indent(colour("yellow", words));
    }
    for (const step of next.slice(0, 3)) this.#indent(`next: ${oneLine(step, 160)}`);
  }

  #told({ change, severity, incident, title, seenBefore }: Notice): void {
    for (const { at, cause, isConfirmed } of seenBefore) {
      const how = isConfirmed ? "confirmed" : "not confirmed";
      this.#indent(
        `seen before on ${oneLine(at.slice(0, 10), 10)}, cause ${oneLine(cause, 120)} (${how})`,
      );
    }
    if (change === "opened") this.#indent(`${colour("red", "alarm")} ${severity} · ${incident}`);
    else this.#indent(`${colour("yellow", change)} ${oneLine(title, 120)} · ${incident}`);
  }

  #block(text: string, by: string): void {
    this.#indent(`${oneLine(text, 600)} ${colour("grey", `(${oneLine(by, 60)})`)}`);
  }

  #line(id: string, text: string): void {
    this.end();
    this.#write(`${this.#title(id)}  ${text}\n`);
  }

  #indent(text: string): void {
    this.end();
    this.#write(`   ${text.trimEnd()}\n`);
  }

  #title(id: string): string {
    return colour("bold", (this.#titles.get(id) ?? id.slice(0, WIDTH)).padEnd(WIDTH));
  }
}

function continuedWords({ incident, windows, why }: Continued): string {
  const words = {
    known: `window ${windows} of incident ${incident}`,
    too_few_windows: `seen in ${windows} ${windows === 1 ? "window" : "windows"} so far, incident ${incident}`,
    silenced: `incident ${incident} is silenced`,
    flapping: `incident ${incident} comes and goes`,
  };
  return words[why];
}

function progressWords(data: Readonly<Record<string, unknown>>, text: string): string {
  const { rows, rowsPerSecond, templates, part } = data;
  if (typeof rows !== "number") return oneLine(text, 80);
  const rate = typeof rowsPerSecond === "number" ? ` · ${short(rowsPerSecond)}/s` : "";
  const known = typeof templates === "number" ? ` · ${count(templates)} templates` : "";
  return `${part === "baseline" ? "baseline " : ""}${count(rows)} lines${rate}${known}`;
}

/** `7,852 lines · 212k/s · 231 templates · 12 findings · anomalous`. */
export function sourceWords(result: SourceResult): string {
  const { status, stats, findings, reason } = result;
  if (status === "failed" || status === "timed_out") {
    return `${colour("yellow", status.replace("_", " "))}: ${oneLine(reason ?? "", 200)}`;
  }
  const figures = [
    stats.lines === undefined ? "" : `${count(stats.lines)} lines`,
    stats.linesPerSecond ? `${short(stats.linesPerSecond)}/s` : "",
    stats.templates === undefined ? "" : `${count(stats.templates)} templates`,
    stats.series === undefined ? "" : `${count(stats.series)} series`,
    findings > 0 ? `${count(findings)} ${findings === 1 ? "finding" : "findings"}` : "",
    status === "quiet" ? colour("green", "quiet") : colour("red", "anomalous"),
    seconds(result.tookMs),
  ];
  return figures.filter(Boolean).join(" · ");
}

/** A verdict as programs get it. */
export function verdictJson(verdict: Verdict): Record<string, unknown> {
  const { id, window, outcome, reason, rootCause, confidence, evidence, sources, causes } = verdict;
  return {
    id,
    window,
    outcome,
    ...(reason ? { reason } : {}),
    rootCause,
    confidence,
    evidence,
    sources,
    causes,
  };
}
