/** What a coordinator tells its watchers as it happens: the terminal, JSON lines, tests. */

import type { Notice } from "../../alarms/mod.ts";
import type { Window } from "../../core/mod.ts";
import type { Explanation } from "../explain/record.ts";
import type { SourceResult, Verdict } from "./records.ts";

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
  | { readonly type: "explained"; readonly id: string; readonly explanation: Explanation }
  /** An incident changed, and whoever is to be told is told. */
  | { readonly type: "told"; readonly id: string; readonly notice: Notice }
  /** An incident goes on, and there is nothing new to tell. */
  | {
      readonly type: "continued";
      readonly id: string;
      readonly incident: string;
      readonly windows: number;
      readonly why: "known" | "too_few_windows" | "silenced" | "flapping";
    }
  | { readonly type: "closed"; readonly id: string };
