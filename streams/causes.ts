/** What the ranking answers. */
import type { Dependency, Finding, Resource, SourceReport } from "./findings.ts";

/** A finding with the id it has across sources in one investigation: e1, e2, … as docs/findings.md says. */
export interface Evidence {
  readonly id: string;
  readonly source: SourceReport["source"];
  readonly finding: Finding;
}

export interface Cause {
  readonly service: string;
  /** A short phrase from a closed list per kind of evidence, e.g. `cpu contention`. */
  readonly mechanism: string;
  readonly resource?: Resource;
  /** Below the service, if known: `ContactsServiceImpl#34`, `hikaricp`, `-> ts-order-service`. */
  readonly location?: string;
  /** Relative weight; only the order and the ratio of two scores mean anything. */
  readonly score: number;
  /** In [0, 1]: how sure we are that this is the cause. */
  readonly confidence: number;
  /** Evidence ids for and against. */
  readonly evidence: readonly string[];
  readonly against: readonly string[];
  /** Services that suffer from it, in order of weight. */
  readonly affected: readonly string[];
  /** What to do next, plain sentences. */
  readonly next: readonly string[];
}

export interface Ranking {
  /** Best first; empty when nothing is wrong or nothing can be said. */
  readonly causes: readonly Cause[];
  readonly evidence: readonly Evidence[];
  readonly dependencies: readonly Dependency[];
}
