/**
 * Turns evidence into suspicion per service: the strongest finding of each family counts, families add
 * up as the sides of a right angle, and what a broken callee explains is taken off its callers.
 */
import type { Evidence } from "../causes.ts";
import { symptomOf } from "../detect/symptoms.ts";
import { type Family, familyOf } from "./families.ts";
import type { CallGraph } from "./graph.ts";

/** Of an accusation, the share that stays with the service that wrote it. */
const ACCUSER_SHARE = 0.3;
/** Of a caller's symptoms, the share a callee that is at least as suspect explains, per step. */
const EXPLAINED_SHARE = 0.7;
/** Of the explained symptoms, the share that counts against the callee. */
const BLAME_SHARE = 0.3;
/** What a suspicion counts when none of its evidence is anomalous by itself. */
const QUIET_SHARE = 0.5;

export interface Charge {
  readonly evidence: Evidence;
  readonly family: Family;
  readonly weight: number;
}

export interface Suspect {
  readonly service: string;
  /** Strongest first. */
  readonly charges: readonly Charge[];
  readonly score: number;
}

/** How much a finding counts: its score by the weight of its family. */
export function weightOf(evidence: Evidence): number {
  return evidence.finding.score * familyOf(evidence.finding).weight;
}

/** Suspects, most suspect first; ties by name. */
export function suspectsOf(evidence: readonly Evidence[], graph: CallGraph): Suspect[] {
  const charges = new Map<string, Charge[]>();
  const charge = (service: string, one: Charge) => {
    charges.set(service, [...(charges.get(service) ?? []), one]);
  };
  for (const one of evidence) {
    const family = familyOf(one.finding);
    const weight = weightOf(one);
    const accused = accusedBy(one);
    charge(one.finding.service, {
      evidence: one,
      family,
      weight: accused.length > 0 ? weight * ACCUSER_SHARE : weight,
    });
    for (const service of accused) {
      const share = (1 - ACCUSER_SHARE) / accused.length;
      charge(service, { evidence: one, family: ACCUSATION, weight: weight * share });
    }
  }
  return traverse(charges, graph).sort(
    (a, b) => b.score - a.score || (a.service < b.service ? -1 : 1),
  );
}

/** What others say of a service: it does not answer as it should. */
const ACCUSATION: Family = {
  name: "accused",
  weight: 1,
  symptom: "always",
  named: false,
  mechanism: "errors",
};

/** Services an error text accuses in place of the one that wrote it. */
function accusedBy({ finding }: Evidence): string[] {
  const words = [finding.template ?? "", ...(finding.exemplars ?? [])].join("\n");
  return symptomOf(words)?.accusesOther === true ? (finding.mentions ?? []) : [];
}

/**
 * The traversal of PetShop (Hardt et al. 2024), softened: instead of dropping an anomalous node with an
 * anomalous dependency, what the dependency can explain is discounted as far as its suspicion reaches.
 * A callee whose fault names itself explains changed paths too.
 */
function traverse(charges: ReadonlyMap<string, Charge[]>, graph: CallGraph): Suspect[] {
  const blame = new Map<string, number>();
  const kept = new Map<string, Charge[]>();
  for (const [service, own] of charges) {
    const any = culpritOf(service, charges, graph, () => true);
    const named = culpritOf(service, charges, graph, ({ family }) => family.named);
    const left = {
      never: 1,
      always: 1 - (any?.share ?? 0),
      "of named": 1 - (named?.share ?? 0),
    };
    const after = own.map((one) => ({ ...one, weight: one.weight * left[one.family.symptom] }));
    kept.set(service, after);
    const culprit = any ?? named;
    if (culprit === undefined) continue;
    const moved = BLAME_SHARE * (total(own) - total(after));
    blame.set(culprit.service, Math.max(blame.get(culprit.service) ?? 0, moved));
  }
  return [...kept].map(([service, own]) => ({
    service,
    charges: [...own].sort((a, b) => b.weight - a.weight),
    score: standingOf(own) * Math.hypot(total(own), blame.get(service) ?? 0),
  }));
}

/** Evidence that would alarm nobody by itself makes half a suspect: every window has some. */
function standingOf(charges: readonly Charge[]): number {
  return charges.some(({ evidence }) => evidence.finding.anomalous) ? 1 : QUIET_SHARE;
}

/** The callee, at any depth, that explains most of what a service shows, and which share of it. */
function culpritOf(
  service: string,
  charges: ReadonlyMap<string, Charge[]>,
  graph: CallGraph,
  counts: (charge: Charge) => boolean,
): { service: string; share: number } | undefined {
  const own = Math.max(1e-9, total(charges.get(service) ?? []));
  let culprit: { service: string; share: number } | undefined;
  for (const [callee, steps] of graph.below(service)) {
    // What a caller says of its callee must not excuse the caller.
    const theirs = (charges.get(callee) ?? []).filter(
      (charge) => charge.evidence.finding.service !== service && counts(charge),
    );
    const share = EXPLAINED_SHARE * (Math.min(1, total(theirs) / own) / steps);
    if (share > (culprit?.share ?? 0)) culprit = { service: callee, share };
  }
  return culprit;
}

/** Strongest charge of each family, added as sides of a right angle: many weak ones cannot shout. */
function total(charges: readonly Charge[]): number {
  const best = new Map<string, number>();
  for (const { family, weight } of charges) {
    best.set(family.name, Math.max(best.get(family.name) ?? 0, weight));
  }
  return Math.hypot(...best.values());
}
