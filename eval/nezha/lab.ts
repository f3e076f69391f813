/** What the suite needs of the system: agents over a recording. cli/ passes it in. */
import type { Verdict } from "../../agents/mod.ts";
import type { Window } from "../../core/mod.ts";
import type { Recording } from "../../sim/mod.ts";

export const LAB_SOURCES = ["splunk", "metrics"] as const;
export type LabSource = (typeof LAB_SOURCES)[number];

export interface Investigator extends AsyncDisposable {
  /**
   * One investigation by the SRE agent over those agents. `alerted`: rank although nothing stands out.
   * Throws PetrelError when it has no verdict.
   */
  investigate(
    window: Window,
    options: { readonly baseline: readonly Window[]; readonly alerted: boolean },
  ): Promise<Verdict>;
}

export interface Lab {
  /** Starts the SRE agent and the evidence agents named, over a mesh, Splunk and Prometheus of their own. */
  open(
    recording: Recording,
    sources: readonly LabSource[],
    signal: AbortSignal,
  ): Promise<Investigator>;
}
