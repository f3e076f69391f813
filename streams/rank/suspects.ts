/**
 * Turns evidence into suspicion per service: the strongest finding of each family counts, families add
 * up as the sides of a right angle, and what a broken callee explains is taken off its callers.
 */
import type { Evidence } from "../causes.ts";
import { symptomOf } from "../detect/symptoms.ts";
import { type Family, familyOf } from "./families.ts";
import type { CallGraph } from "./graph.ts";
import type { Impact, Impacts } from "./impact.ts";

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
  /** What it cost requests, where that is known. */
  readonly impact?: Impact;
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

/**
 * Suspects, most suspect first; ties by name. `impacts`: what findings cost requests, where that is known;
 * of two sure changes the one that costs more weighs more.
 */
export function suspectsOf(
  evidence: readonly Evidence[],
  graph: CallGraph,
  impacts: Impacts = new Map(),
): Suspect[] {
  const most = largestOf(impacts);
  const charges = new Map<string, Charge[]>();
  const charge = (service: string, one: Charge) => {
    charges.set(service, [...(charges.get(service) ?? []), one]);
  };
  for (const one of evidence) {
    const family = familyOf(one.finding);
    const impact = impacts.get(one.finding);
    const weight = impact ? materialWeight(one, impact, most) : weightOf(one);
    const accused = accusedBy(one);
    charge(one.finding.service, {
      evidence: one,
      family,
      ...(impact === undefined ? {} : { impact }),
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

/** A score of the common scale from which on a change is certain. */
const BEYOND_DOUBT = 10;
/** A delay of this share of the largest is as good as it. */
const DELAY_SHARE = 0.1;

/**
 * How much a finding counts beside the largest amount of its kind. How sure a change is says that
 * something happened there; how much it cost says whether it can be what happened to all. Of two changes
 * beyond doubt neither is more certain. A delay is measured on few requests, so only the small ones are
 * taken for what they are.
 */
function materialWeight(one: Evidence, { kind, amount }: Impact, most: Largest): number {
  const share = amount / (most.get(kind) ?? amount);
  if (kind === "delay") return weightOf(one) * Math.min(1, share / DELAY_SHARE);
  return Math.min(BEYOND_DOUBT, one.finding.score) * familyOf(one.finding).weight * share;
}

type Largest = ReadonlyMap<Impact["kind"], number>;

function largestOf(impacts: Impacts): Largest {
  const most = new Map<Impact["kind"], number>();
  for (const { kind, amount } of impacts.values()) {
    most.set(kind, Math.max(most.get(kind) ?? 0, amount));
  }
  return most;
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
 * anomalous dependency, what the dependency can explain is discounted: as far as its amount of lost time
 * or failed requests reaches where both amounts are known, else as far as its suspicion reaches. A callee
 * whose fault names itself explains changed paths too.
 */
function traverse(charges: ReadonlyMap<string, Charge[]>, graph: CallGraph): Suspect[] {
  const blame = new Map<string, number>();
  const kept = new Map<string, Charge[]>();
  for (const [service, own] of charges) {
    const explained = own.map((one) => culpritOf(service, one, charges, graph));
    const after = own.map((one, at) => ({
      ...one,
      weight: one.weight * (1 - (explained[at]?.share ?? 0)),
    }));
    kept.set(service, after);
    const [culprit] = explained
      .filter((one) => one !== undefined)
      .sort((a, b) => b.share - a.share);
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

interface Culprit {
  readonly service: string;
  readonly share: number;
}

/** The callee, at any depth, that explains most of one charge against a service, and which share of it. */
function culpritOf(
  service: string,
  charge: Charge,
  charges: ReadonlyMap<string, Charge[]>,
  graph: CallGraph,
): Culprit | undefined {
  if (charge.family.symptom === "never") return undefined;
  const named = charge.family.symptom === "of named";
  const own = Math.max(1e-9, total(charges.get(service) ?? []));
  let culprit: Culprit | undefined;
  for (const [callee, steps] of graph.below(service)) {
    // What a caller says of its callee must not excuse the caller.
    const theirs = (charges.get(callee) ?? []).filter(
      (one) => one.evidence.finding.service !== service && (!named || one.family.named),
    );
    const alike = theirs.filter((one) => isAlike(charge, one));
    const others = theirs.filter((one) => !isAlike(charge, one));
    const bySuspicion = Math.min(1, total(others) / own) / steps;
    const byAmount = Math.min(1, amountOf(alike) / amountOf([charge]));
    const share = EXPLAINED_SHARE * Math.max(bySuspicion, byAmount || 0);
    if (share > (culprit?.share ?? 0)) culprit = { service: callee, share };
  }
  return culprit;
}

/** True when both cost requests the same thing, so that amounts decide. */
function isAlike(a: Charge, b: Charge): boolean {
  return a.impact !== undefined && a.impact.kind === b.impact?.kind;
}

function amountOf(charges: readonly Charge[]): number {
  return Math.max(0, ...charges.map(({ impact }) => impact?.amount ?? 0));
}

/** Strongest charge of each family, added as sides of a right angle: many weak ones cannot shout. */
function total(charges: readonly Charge[]): number {
  const best = new Map<string, number>();
  for (const { family, weight } of charges) {
    best.set(family.name, Math.max(best.get(family.name) ?? 0, weight));
  }
  return Math.hypot(...best.values());
}
