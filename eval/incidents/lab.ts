/** What the suite needs of the system: the agents, a language model and a sink, over recordings. */
import type { Verdict } from "../../agents/mod.ts";
import type { Notice } from "../../alarms/mod.ts";
import type { Window } from "../../core/mod.ts";
import type { Recording } from "../../sim/mod.ts";

/** What came of one window. */
export interface Watched {
  readonly verdict: Verdict;
  /** What the sink received since the window before, in its order. */
  readonly notices: readonly Notice[];
  /** Requests that reached the language model since the window before. */
  readonly llmCalls: number;
}

export interface IncidentWatch extends AsyncDisposable {
  /**
   * Investigates a window under its own id, as `petrel watch` does, and resolves when whoever is to be
   * told was told. `baseline`: what counts as normal for logs; default: the windows before. Throws
   * PetrelError when there is no verdict.
   */
  look(window: Window, baseline?: readonly Window[]): Promise<Watched>;
}

export interface IncidentLab {
  /** Starts all of it, with incidents that nothing has happened to yet. The recordings do not overlap. */
  watch(recordings: readonly Recording[], signal: AbortSignal): Promise<IncidentWatch>;
}
