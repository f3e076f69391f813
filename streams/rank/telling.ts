/**
 * Which evidence of a cause is told, and in which order: what names the fault first, no fact twice, all
 * sources early. It weighs nothing; the ranking has done that.
 */
import type { Evidence } from "../causes.ts";
import { symptomOf } from "../detect/symptoms.ts";
import type { Finding } from "../findings.ts";
import type { Charge } from "./suspects.ts";

/** A reader sees these few at once; both sources should be among them. */
const GLANCE = 4;

/** Metrics and counts that tell the same fact under several names. */
const SAME_FACT: readonly (readonly [name: RegExp, fact: string])[] = [
  [/^(?:http_?5|availability)/, "server errors"],
  [/^error/, "error lines"],
  [/^(?:http_latency_mean|latency(?:MeanMsMax)?)$/, "latency"],
  [/^jvm_?memory/i, "JVM memory"],
];

/** The fact a finding tells, whichever source and test it comes from. */
function factOf({ evidence: { finding }, family }: Charge): string {
  const { kind, rule, metric, service, template, codeLocation, summary } = finding;
  const measured = rule ?? metric ?? (kind.startsWith("template_") ? undefined : kind);
  const same = SAME_FACT.find(([name]) => name.test(measured ?? ""))?.[1];
  if (same !== undefined) return `${service} ${same}`;
  if (metric !== undefined || rule !== undefined) return `${service} ${measured}`;
  // Texts on one scarce resource say one thing, however many statements print it.
  if (family.named) return `${service} text on ${family.name}`;
  return `${service} ${template ?? codeLocation ?? summary}`;
}

/** Of two findings that tell one fact, which tells it best: more first. */
function clarityOf({ kind, rule, direction, template, metric }: Finding): number {
  if (rule !== undefined) return rule.includes("PerMinute") ? 3 : 4;
  if (kind === "template_new" || kind === "template_rate") return direction === "gone" ? 1 : 3;
  return template !== undefined || metric === undefined ? 2 : 1;
}

/** Evidence as a person should read it, at most `max`, from a cause's charges, strongest first. */
export function telling(
  charges: readonly Charge[],
  leading: Charge | undefined,
  max: number,
): Evidence[] {
  const facts = new Map<string, Charge[]>();
  for (const charge of charges) {
    const fact = factOf(charge);
    facts.set(fact, [...(facts.get(fact) ?? []), charge]);
  }
  const best = [...facts.values()]
    .map((told) => clearest(told, leading))
    .filter((one) => one !== undefined);
  const ranked = best
    .map((charge, index) => ({ charge, index, place: placeOf(charge, leading) }))
    .sort((a, b) => a.place - b.place || excess(b.charge) - excess(a.charge) || a.index - b.index)
    .map(({ charge }) => charge.evidence);
  return mixed(ranked).slice(0, max);
}

/** The charge that tells its fact best; among equals the first, which is the strongest. */
function clearest(told: readonly Charge[], leading: Charge | undefined): Charge | undefined {
  const named = told.filter((one) => one.family === leading?.family);
  return [...(named.length > 0 ? named : told)].sort(
    (a, b) => clarity(b, leading) - clarity(a, leading),
  )[0];
}

/** Words in which the resource is named outright stand above words that only carry its stack trace. */
function clarity({ evidence: { finding }, family }: Charge, leading: Charge | undefined): number {
  const outright = family === leading?.family && symptomOf(finding.template ?? "") !== undefined;
  return clarityOf(finding) + (outright ? 0.5 : 0);
}

/** A text that names the fault, then other evidence of it that leads, then rules, then the rest. */
function placeOf(charge: Charge, leading: Charge | undefined): number {
  const { finding } = charge.evidence;
  if (charge.family.name === leading?.family.name && finding.template !== undefined) return 0;
  if (charge === leading) return 1;
  return finding.rule === undefined ? 3 : 2;
}

/** How far a rule is broken; 0 for all other evidence, which keeps its order. */
function excess({ evidence: { finding } }: Charge): number {
  return finding.rule === undefined ? 0 : finding.score;
}

/** With a source missing at a glance, its best evidence takes the last place there. */
function mixed(ranked: readonly Evidence[]): Evidence[] {
  const glance = ranked.slice(0, GLANCE);
  const rest = ranked.slice(GLANCE);
  const absent = rest.find(({ source }) => glance.every((one) => one.source !== source));
  if (absent === undefined) return [...ranked];
  const others = ranked.filter((one) => one !== absent);
  return [...others.slice(0, GLANCE - 1), absent, ...others.slice(GLANCE - 1)];
}
