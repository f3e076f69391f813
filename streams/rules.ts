/**
 * Fixed thresholds per service: what is wrong whatever the past looks like. Plain data; the detectors
 * compare, nothing here decides.
 */

/** A value strictly greater than its threshold is a breach. */
export interface ServiceRules {
  /** HTTP 500 answers in one window. */
  readonly http500CountMax: number;
  /** HTTP 500 answers in a minute. */
  readonly http500PerMinuteMax: number;
  /** Mean latency of the window's requests. */
  readonly latencyMeanMsMax: number;
  /** Used JVM memory as a share of its maximum. */
  readonly jvmMemoryPercentMax: number;
}

export type RuleName = keyof ServiceRules;

/** Anything left out falls back: service, then `defaults`, then {@link DEFAULT_RULES}. */
export interface RuleSet {
  readonly defaults?: Partial<ServiceRules>;
  readonly services?: Readonly<Record<string, Partial<ServiceRules>>>;
}

export const DEFAULT_RULES: ServiceRules = {
  http500CountMax: 100,
  http500PerMinuteMax: 10,
  latencyMeanMsMax: 1_000,
  jvmMemoryPercentMax: 90,
};

/** The thresholds of one service. */
export function rulesFor(service: string, rules: RuleSet = {}): ServiceRules {
  const own = Object.hasOwn(rules.services ?? {}, service) ? rules.services?.[service] : undefined;
  return { ...DEFAULT_RULES, ...defined(rules.defaults), ...defined(own) };
}

/** Without the keys set to `undefined`, so that they do not hide a default. */
function defined(rules: Partial<ServiceRules> | undefined): Partial<ServiceRules> {
  return Object.fromEntries(Object.entries(rules ?? {}).filter(([, value]) => value !== undefined));
}
