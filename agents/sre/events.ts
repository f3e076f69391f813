/** What a coordinator tells its watchers as it happens: the terminal, JSON lines, tests. */
import type { Window } from "../../core/mod.ts";
import type { Alarm, Explanation, SourceResult, Verdict } from "./records.ts";

export type SreEvent =
  | {
      readonly type: "window_opened";
      readonly id: string;
      readonly window: Window;
      readonly adopted: boolean;
    }
  | { readonly type: "task_sent"; readonly id: string; readonly agent: string }
  | {
      readonly type: "progress";
      readonly id: string;
      readonly agent: string;
      readonly text: string;
      readonly data: Readonly<Record<string, unknown>>;
    }
  | {
      readonly type: "source";
      readonly id: string;
      readonly agent: string;
      readonly result: SourceResult;
    }
  | { readonly type: "verdict"; readonly id: string; readonly verdict: Verdict }
  | {
      readonly type: "explained";
      readonly id: string;
      readonly explanation: Explanation;
      readonly llm: LlmUse;
    }
  | { readonly type: "alarm"; readonly id: string; readonly alarm: Alarm }
  | {
      readonly type: "suppressed";
      readonly id: string;
      readonly alarmId: string;
      readonly windows: number;
    }
  | { readonly type: "closed"; readonly id: string };

export interface LlmUse {
  readonly calls: number;
  readonly tokens: number;
}
