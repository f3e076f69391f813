/**
 * What payment-service is asked in the payment scenario, when, and how long each answer takes.
 *
 * The story: at 14:20:00 leaked connections fill payment-service's pool (10 a replica). A charge
 * waits 30 s for a connection and fails with a 500; towards 14:21:30 lookups miss the cache and queue
 * up behind it until 128 wait. From 14:21:00 order-service's circuit breaker turns ever more orders
 * away, so ever fewer charges reach the broken pool: the 500s of the five minutes are 20, 50, 44, 24
 * and 12. That is 150 in the window, 30 a minute on average, and 12 a minute at its end.
 */
import type { Window } from "../../core/mod.ts";
import type { Random } from "./random.ts";

const MINUTE_MS = 60_000;
export const START_MS = Date.parse("2026-03-13T14:00:00Z");
export const PAYMENT_WINDOW: Window = {
  startMs: Date.parse("2026-03-13T14:20:00Z"),
  endMs: Date.parse("2026-03-13T14:25:00Z"),
};
export const PAYMENT_BASELINE: Window = { startMs: START_MS, endMs: PAYMENT_WINDOW.startMs };

/** 500s of payment-service in each minute of the window; the sixth fail after it and still wait. */
export const TIMEOUTS_PER_MINUTE = [20, 50, 44, 24, 12, 12] as const;
export const MEAN_LATENCY_MS = 1_200;
export const WAITING_MAX = 128;
/** Share of the orders that the circuit breaker turns away, by half minute from 14:20:00 on. */
const REJECTED_SHARES = [0, 0, 0.1, 0.25, 0.4, 0.4, 0.6, 0.7, 0.8, 0.8];
const LOOKUPS_PER_S = 15;
const ORDERS_PER_S = 3;
/** The last timeout before it sees the longest queue, and so does the scrape at this instant. */
const FULLEST_MS = PAYMENT_WINDOW.startMs + 90_000;
const TIMEOUT_MS = 30_000;

/** A request to payment-service, or an order on its way there. */
export interface Planned {
  readonly replica: number;
  readonly startMs: number;
  latencyMs: number;
  readonly ending: "ok" | "pool_timeout";
}

export interface Plan {
  readonly lookups: readonly Planned[];
  /** Of orders that go through, and those that fail. */
  readonly charges: readonly Planned[];
  /** When the circuit breaker turned an order away. */
  readonly rejectedMs: readonly number[];
  /** Requests of a replica of payment-service that wait for a connection at an instant. */
  readonly waitingAt: (replica: number, timeMs: number) => number;
}

export function makePlan(random: Random): Plan {
  const lookups = planLookups(random);
  const timeouts = planTimeouts(random);
  const { charges, rejectedMs } = planOrders(random);
  const waiting = [...timeouts, ...queueUp(lookups, timeouts)];
  settleMean([...lookups, ...timeouts], charges);
  return {
    lookups,
    charges: [...charges, ...timeouts],
    rejectedMs,
    waitingAt: (replica, timeMs) => countWaiting(waiting, replica, timeMs),
  };
}

export function endMs(call: { startMs: number; latencyMs: number }): number {
  return call.startMs + call.latencyMs;
}

export function isIn(window: Window, timeMs: number): boolean {
  return timeMs >= window.startMs && timeMs < window.endMs;
}

function planLookups(random: Random): Planned[] {
  return arrivals(LOOKUPS_PER_S, random).map((startMs, index) => ({
    replica: index % 2,
    startMs,
    latencyMs: random.between(9, 48),
    ending: "ok",
  }));
}

/** The charges that fail, spread evenly over the minute in which they do. */
function planTimeouts(random: Random): Planned[] {
  return TIMEOUTS_PER_MINUTE.flatMap((count, minute) =>
    Array.from({ length: count }, (_, index): Planned => {
      const { startMs: firstMs } = PAYMENT_WINDOW;
      // The first minute's have to wait their 30 s first.
      const fromMs = minute === 0 ? firstMs + TIMEOUT_MS + 1_000 : firstMs + minute * MINUTE_MS;
      const stepMs = (firstMs + (minute + 1) * MINUTE_MS - fromMs) / count;
      const latencyMs = TIMEOUT_MS + random.between(6, 14);
      const atMs = Math.floor(fromMs + (index + 0.4) * stepMs + random.between(0, 90));
      return {
        replica: index % 2,
        startMs: atMs - latencyMs,
        latencyMs,
        ending: "pool_timeout",
      };
    }),
  );
}

/** All other orders: those that are charged, and those the circuit breaker turns away. */
function planOrders(random: Random): { charges: Planned[]; rejectedMs: number[] } {
  const charges: Planned[] = [];
  const rejectedMs: number[] = [];
  for (const [index, startMs] of arrivals(ORDERS_PER_S, random).entries()) {
    const halfMinute = Math.floor((startMs - PAYMENT_WINDOW.startMs) / (MINUTE_MS / 2));
    const lot = random.fraction();
    if (lot < (REJECTED_SHARES[halfMinute] ?? 0)) {
      rejectedMs.push(startMs);
      continue;
    }
    const timeouts = TIMEOUTS_PER_MINUTE[Math.floor((halfMinute + 1) / 2)] ?? 0;
    // A charge that times out came instead of one that did not.
    if (halfMinute >= 0 && lot > 1 - timeouts / (ORDERS_PER_S * 60)) continue;
    charges.push({
      replica: index % 2,
      startMs,
      latencyMs: random.between(70, 190),
      ending: "ok",
    });
  }
  return { charges, rejectedMs };
}

function arrivals(perSecond: number, random: Random): number[] {
  const stepMs = 1_000 / perSecond;
  const count = (PAYMENT_WINDOW.endMs - START_MS) / stepMs;
  return Array.from({ length: count }, (_, index) =>
    Math.floor(START_MS + (index + random.fraction()) * stepMs),
  );
}

/**
 * Makes the last lookups before one timeout of replica 0 wait until well after it, as many as it
 * takes for that timeout to see {@link WAITING_MAX} waiting. Returns them.
 */
function queueUp(lookups: readonly Planned[], timeouts: readonly Planned[]): Planned[] {
  const witness = timeouts.findLast((call) => call.replica === 0 && endMs(call) < FULLEST_MS);
  if (witness === undefined) throw new RangeError("no timeout before the fullest moment");
  const atMs = endMs(witness);
  const missing = WAITING_MAX - countWaiting(timeouts, 0, atMs);
  const queued = lookups
    .filter((call) => call.replica === 0 && call.startMs < atMs)
    .slice(-missing);
  for (const [index, call] of queued.entries()) {
    call.latencyMs = FULLEST_MS + 400 + index * 12 - call.startMs;
  }
  return queued;
}

function countWaiting(calls: readonly Planned[], replica: number, timeMs: number): number {
  return calls.filter(
    (call) => call.replica === replica && call.startMs <= timeMs && endMs(call) > timeMs,
  ).length;
}

/**
 * Slows the charges that succeed in the window until the mean over all requests that payment-service
 * ends in it is {@link MEAN_LATENCY_MS} to the millisecond.
 */
function settleMean(others: readonly Planned[], charges: readonly Planned[]): void {
  const { startMs, endMs: windowEndMs } = PAYMENT_WINDOW;
  // Those near the ends stay as they are, so that none moves into the window or out of it.
  const slowed = charges.filter((c) => c.startMs >= startMs && c.startMs < windowEndMs - 10_000);
  const ended = [...others, ...charges].filter((call) => isIn(PAYMENT_WINDOW, endMs(call)));
  const sumMs = ended.reduce((sum, call) => sum + call.latencyMs, 0);
  const missingMs = ended.length * MEAN_LATENCY_MS - sumMs;
  const eachMs = Math.floor(missingMs / slowed.length);
  if (eachMs < 0 || eachMs > 5_000) throw new RangeError(`mean cannot be met: ${eachMs} ms each`);
  for (const [index, call] of slowed.entries()) {
    call.latencyMs += eachMs + (index < missingMs - eachMs * slowed.length ? 1 : 0);
  }
}
