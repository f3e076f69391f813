/** How long things last in an incident's life. The configuration's `alarms` says so. */
import type { Silence } from "./record.ts";
import type { Maintenance } from "./silences.ts";

export interface LifeRules {
  /** Windows that have to show an incident before anybody is told. */
  readonly afterWindows: number;
  /** Quiet windows after which it is resolved. */
  readonly resolveAfterWindows: number;
  /** What comes back this soon after it was resolved is opened again. */
  readonly reopenWithinMs: number;
  /** What is new about an open incident is told at most this often; a higher severity at once. */
  readonly updateEveryMs: number;
  /** An incident that goes on without news is told again after this long. */
  readonly remindEveryMs: number;
  /** Resolved or opened again this many times within `flapWithinMs`, it flaps, and is told once. */
  readonly flapChanges: number;
  readonly flapWithinMs: number;
}

/** What deciding needs beside the book and the sighting. */
export interface Circumstances {
  readonly rules: LifeRules;
  readonly silences: readonly Silence[];
  readonly maintenance: readonly Maintenance[];
  readonly nowMs: number;
  /** The process that will see to the changes. */
  readonly owner: string;
  readonly newId: () => string;
}
