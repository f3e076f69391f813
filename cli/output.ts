/** Where a command's answer goes: people's words, or one JSON object as the last line. */
import type { SreEvent, Verdict } from "../agents/mod.ts";
import { type Logger, makeLogger, systemClock } from "../core/mod.ts";
import { InvestigationView, verdictJson } from "./render/investigation.ts";

export interface Output {
  readonly json: boolean;
  readonly onEvent: (event: SreEvent) => void;
  /** What the LLM was asked for so far. */
  readonly llm: () => { readonly calls: number; readonly tokens: number };
  readonly line: (text: string) => void;
  /** Writes the final object; only in JSON mode. */
  readonly result: (verdicts: readonly Verdict[], envelopes: number) => void;
  readonly end: () => void;
}

export function makeOutput(json: boolean): Output {
  const write = (text: string) => void process.stdout.write(text);
  const view = new InvestigationView(write, () => systemClock.nowMs());
  let calls = 0;
  let tokens = 0;
  return {
    json,
    onEvent: (event) => {
      if (event.type === "explained") {
        const { cost } = event.explanation;
        calls += cost.calls;
        tokens += cost.promptTokens + cost.completionTokens;
      }
      if (!json) view.show(event);
    },
    llm: () => ({ calls, tokens }),
    line: (text) => {
      if (json) return;
      view.end();
      write(`${text}\n`);
    },
    result: (verdicts, envelopes) => {
      if (!json) return;
      write(
        `${JSON.stringify({ verdicts: verdicts.map(verdictJson), envelopes, llm: { calls, tokens } })}\n`,
      );
    },
    end: () => view.end(),
  };
}

/** The agents' own log goes to standard error; quiet when a person watches the answer. */
export function commandLogger(level: "debug" | "info" | "warn" | "error"): Logger {
  return makeLogger({ level });
}
