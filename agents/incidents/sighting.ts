/**
 * What one verdict says to the incidents: the fault it names, the sources it could not read, and whether
 * its silence about an incident means that the incident is quiet. Pure; knows no incident.
 */
import type { IncidentKind, Severity } from "../../alarms/mod.ts";
import type { Verdict } from "../sre/records.ts";

/** Something that an incident may be about. */
export interface Sign {
  readonly kind: IncidentKind;
  readonly fingerprint: string;
  readonly severity: Severity;
  readonly service: string;
  readonly mechanism: string;
  readonly location?: string;
  readonly confidence: number;
  /** The cause first, then rivals, then who suffers. */
  readonly services: readonly string[];
}

export interface Sighting {
  readonly investigation: string;
  readonly window: Verdict["window"];
  /** ISO 8601: when the verdict was reached. */
  readonly at: string;
  readonly signs: readonly Sign[];
  /** Services that show anything at all: an incident about one of them is not quiet. */
  readonly troubled: ReadonlySet<string>;
  /** Fingerprints of sources that could not be read; what they would have shown is unknown. */
  readonly unread: ReadonlySet<string>;
  /** A window that somebody chose: no incident is quiet for it. */
  readonly isAsked: boolean;
  /** Whether everything was looked at: only then is an incident that does not show quiet. */
  readonly isWhole: boolean;
}

/** From here on an incident wakes people. */
const CRITICAL_CONFIDENCE_MIN = 0.7;
/** A second cause counts as a rival from this share of the first's confidence on. */
const RIVAL_SHARE = 0.4;
const SERVICES_MAX = 50;
const NAME_CHARS_MAX = 200;
const LOCATION_CHARS_MAX = 500;

/** The name under which Petrel tells of itself. */
export const PETREL = "petrel";
export const OPERATIONS = "operations";
const UNEXPLAINED = "unexplained";

/** The same cause in the same place has the same fingerprint. */
export function fingerprintOf(service: string, mechanism: string): string {
  return new Bun.CryptoHasher("sha256")
    .update(`${service}\n${mechanism}`)
    .digest("hex")
    .slice(0, 24);
}

/**
 * `isAsked`: somebody asked for it, over a window of their own choosing, which may be long or at a bad time.
 * A fault that it finds is one; that it could not read something, or found nothing, says nothing.
 */
export function sightingOf(verdict: Verdict, isAsked = false): Sighting {
  const unread = unreadSources(verdict);
  const fault = faultOf(verdict);
  const unexplained = fault ?? unexplainedOf(verdict);
  const answered = Object.keys(verdict.sources).length - unread.length;
  const signs = [...(unexplained ? [unexplained] : []), ...blindSigns(unread, answered, verdict)];
  return {
    investigation: verdict.id,
    window: verdict.window,
    at: verdict.concludedAt,
    signs: isAsked ? signs.filter(({ kind }) => kind === "fault") : signs,
    isAsked,
    troubled: new Set(
      isAnomalous(verdict)
        ? verdict.causes.flatMap(({ service, affected }) => [service, ...affected])
        : [],
    ),
    unread: new Set(unread.map(sourceFingerprint)),
    isWhole: unread.length === 0 && (fault !== undefined || !unexplained),
  };
}

function faultOf(verdict: Verdict): Sign | undefined {
  const { outcome, rootCause, confidence, causes } = verdict;
  if (outcome !== "incident" || !rootCause) return undefined;
  const service = rootCause.service.slice(0, NAME_CHARS_MAX);
  const mechanism = rootCause.mechanism.slice(0, NAME_CHARS_MAX);
  const location = rootCause.location?.slice(0, LOCATION_CHARS_MAX);
  const rivals = causes.slice(1).filter((cause) => cause.confidence >= RIVAL_SHARE * confidence);
  const services = [
    service,
    ...rivals.map((rival) => rival.service),
    ...(causes[0]?.affected ?? []),
  ];
  return {
    kind: "fault",
    fingerprint: fingerprintOf(service, mechanism),
    severity: confidence >= CRITICAL_CONFIDENCE_MIN ? "critical" : "warning",
    service,
    mechanism,
    ...(location === undefined ? {} : { location }),
    confidence,
    services: namesOf(services),
  };
}

function namesOf(services: readonly string[]): string[] {
  const names = services.map((service) => service.slice(0, NAME_CHARS_MAX));
  return [...new Set(names)].slice(0, SERVICES_MAX);
}

/** Something changed, and no single cause explains it. Suspects that somebody asked for alarm nobody. */
function unexplainedOf(verdict: Verdict): Sign | undefined {
  if (verdict.outcome !== "inconclusive" || !isAnomalous(verdict)) return undefined;
  const shown = verdict.evidence.map(({ finding }) => finding.service);
  return {
    kind: "inconclusive",
    fingerprint: UNEXPLAINED,
    severity: "info",
    service: shown[0] ?? PETREL,
    mechanism: "something changed, and no single cause explains it",
    confidence: 0,
    services: namesOf(shown),
  };
}

function blindSigns(unread: readonly string[], answered: number, verdict: Verdict): Sign[] {
  if (unread.length === 0) return [];
  if (answered > 0) return unread.map((agent) => unreadSign(agent, verdict));
  const mechanism = `no source can be read: ${unread.join(", ")}`.slice(0, 200);
  return [
    {
      kind: "operations",
      fingerprint: OPERATIONS,
      severity: "critical",
      service: PETREL,
      mechanism,
      confidence: 1,
      services: [PETREL],
    },
  ];
}

function unreadSign(agent: string, verdict: Verdict): Sign {
  const state =
    verdict.sources[agent]?.status === "timed_out" ? "does not answer" : "cannot be read";
  return {
    kind: "inconclusive",
    fingerprint: sourceFingerprint(agent),
    severity: "info",
    service: PETREL,
    mechanism: `source ${agent} ${state}`.slice(0, 200),
    confidence: 1,
    services: [PETREL],
  };
}

export function sourceFingerprint(agent: string): string {
  return `source-${agent}`;
}

/** The agents whose source could not be read, or did not answer in time. */
export function unreadSources({ sources }: Verdict): string[] {
  return Object.entries(sources).flatMap(([agent, { status }]) =>
    status === "failed" || status === "timed_out" ? [agent] : [],
  );
}

function isAnomalous({ sources, outcome }: Verdict): boolean {
  return (
    outcome === "incident" || Object.values(sources).some(({ status }) => status === "anomalous")
  );
}
