/**
 * A circuit breaker per target: after many failures callers are answered at once, and now and then one
 * call goes through to see whether the target is well again (the pattern of M. Nygard, Release It!).
 * Only errors that mean the target is ill count: a refusal is an answer. It makes no call itself.
 */
import { type Clock, type ErrorCode, messageOf, PetrelError } from "../../core/mod.ts";
import { CallWindow } from "./window.ts";

export interface BreakerPolicy {
  /** How far back failures count, in milliseconds. */
  readonly windowMs: number;
  /** Below this many calls in the window it never opens. */
  readonly callsMin: number;
  /** Opens when this share of the window's calls failed. */
  readonly failureRate: number;
  /** How long it stays open at first; doubled each time the probe fails. */
  readonly openMs: number;
  readonly openMaxMs: number;
  /** A probe that has not come back after this long is taken for lost. */
  readonly probeMs: number;
}

export const BREAKER_POLICY: BreakerPolicy = {
  windowMs: 30_000,
  callsMin: 10,
  failureRate: 0.5,
  openMs: 2_000,
  openMaxMs: 60_000,
  probeMs: 60_000,
};

export type BreakerState = "closed" | "open" | "half-open";

/** One target as `petrel agents` shows it. */
export interface BreakerStatus {
  readonly target: string;
  readonly state: BreakerState;
  /** Calls in the window, and those of them that failed. */
  readonly calls: number;
  readonly failures: number;
  /** Until the next probe may go, in milliseconds; 0 unless open. */
  readonly retryAfterMs: number;
  /** The last failure that counted; undefined when there was none. */
  readonly lastError: string | undefined;
}

/** Leave to make one call; say how it ended, once. Said twice, the second is ignored. */
export interface Permit {
  succeeded(): void;
  /** An error that says nothing of the target's health is as good as an answer, or nothing. */
  failed(error: unknown): void;
  /** Nobody knows how it would have ended. */
  left(): void;
}

const ILL: ReadonlySet<ErrorCode> = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "INCOMPLETE"]);
const TARGETS_MAX = 1_024;

/** Whether the error means that its target is ill. OVERLOADED does not: it is well and says so. */
export function isIllness(error: unknown): boolean {
  return error instanceof PetrelError && ILL.has(error.code);
}

interface Circuit {
  readonly window: CallWindow;
  state: BreakerState;
  /** Changes with the state: a call from before says nothing about now. */
  generation: number;
  openUntilMs: number;
  openMs: number;
  /** When the probe that is under way began. */
  probeAtMs: number | undefined;
  lastError: string | undefined;
}

export interface BreakersOptions {
  readonly clock: Clock;
  readonly policy?: BreakerPolicy;
  /** Targets remembered; beyond it the one not called for longest is forgotten. Default 1,024. */
  readonly targetsMax?: number;
  readonly onChange?: (target: string, state: BreakerState) => void;
}

export class CircuitBreakers {
  readonly #options: BreakersOptions;
  readonly #policy: BreakerPolicy;
  /** In the order of their last call. */
  readonly #circuits = new Map<string, Circuit>();

  constructor(options: BreakersOptions) {
    this.#options = options;
    this.#policy = options.policy ?? BREAKER_POLICY;
  }

  /** Leave for one call. Throws UNAVAILABLE, with `fields.retryAfterMs`, while the circuit is open. */
  admit(target: string): Permit {
    const now = this.#options.clock.nowMs();
    const circuit = this.#touch(target);
    if (circuit.state === "open" && now >= circuit.openUntilMs) {
      this.#enter(target, circuit, "half-open");
    }
    const { probeAtMs } = circuit;
    const isProbing = probeAtMs !== undefined && now - probeAtMs < this.#policy.probeMs;
    if (circuit.state === "open" || (circuit.state === "half-open" && isProbing)) {
      throw refusedLocally(target, this.#retryAfterMs(circuit, now));
    }
    if (circuit.state === "half-open") circuit.probeAtMs = now;
    return this.#permit(target, circuit);
  }

  /** Every remembered target, by name. */
  list(): BreakerStatus[] {
    const now = this.#options.clock.nowMs();
    return [...this.#circuits]
      .map(([target, circuit]) => ({
        target,
        state: circuit.state,
        ...circuit.window.counts(now),
        retryAfterMs: circuit.state === "open" ? Math.max(0, circuit.openUntilMs - now) : 0,
        lastError: circuit.lastError,
      }))
      .sort((a, b) => (a.target < b.target ? -1 : 1));
  }

  #permit(target: string, circuit: Circuit): Permit {
    const { generation } = circuit;
    let isSettled = false;
    const settle = (how: (now: number) => void) => {
      if (isSettled) return;
      isSettled = true;
      if (circuit.generation === generation) how(this.#options.clock.nowMs());
    };
    return {
      succeeded: () => settle((now) => this.#succeeded(target, circuit, now)),
      failed: (error) =>
        settle((now) => {
          if (isIllness(error)) this.#failed(target, circuit, error, now);
          else if (isOwnDoing(error)) circuit.probeAtMs = undefined;
          else this.#succeeded(target, circuit, now);
        }),
      left: () =>
        settle(() => {
          circuit.probeAtMs = undefined;
        }),
    };
  }

  #succeeded(target: string, circuit: Circuit, now: number): void {
    circuit.window.add(now, false);
    if (circuit.state === "closed") return;
    circuit.window.clear();
    circuit.openMs = this.#policy.openMs;
    this.#enter(target, circuit, "closed");
  }

  #failed(target: string, circuit: Circuit, error: unknown, now: number): void {
    circuit.window.add(now, true);
    circuit.lastError = messageOf(error, 200);
    const { calls, failures } = circuit.window.counts(now);
    if (circuit.state === "half-open") {
      circuit.openMs = Math.min(this.#policy.openMaxMs, circuit.openMs * 2);
    } else if (calls < this.#policy.callsMin || failures < calls * this.#policy.failureRate) {
      return;
    }
    circuit.openUntilMs = now + circuit.openMs;
    this.#enter(target, circuit, "open");
  }

  #enter(target: string, circuit: Circuit, state: BreakerState): void {
    circuit.state = state;
    circuit.generation++;
    circuit.probeAtMs = undefined;
    this.#options.onChange?.(target, state);
  }

  #retryAfterMs({ state, openUntilMs, openMs }: Circuit, now: number): number {
    return state === "open" ? Math.max(1, Math.ceil(openUntilMs - now)) : openMs;
  }

  #touch(target: string): Circuit {
    const existing = this.#circuits.get(target);
    if (existing) {
      this.#circuits.delete(target);
      this.#circuits.set(target, existing);
      return existing;
    }
    const { targetsMax = TARGETS_MAX } = this.#options;
    for (const [oldest] of this.#circuits) {
      if (this.#circuits.size < targetsMax) break;
      this.#circuits.delete(oldest);
    }
    const circuit: Circuit = {
      window: new CallWindow(this.#policy.windowMs),
      state: "closed",
      generation: 0,
      openUntilMs: 0,
      openMs: this.#policy.openMs,
      probeAtMs: undefined,
      lastError: undefined,
    };
    this.#circuits.set(target, circuit);
    return circuit;
  }
}

/** The caller changed its mind: that says nothing of the target. */
function isOwnDoing(error: unknown): boolean {
  return error instanceof PetrelError && error.code === "CANCELLED";
}

function refusedLocally(target: string, retryAfterMs: number): PetrelError {
  const words = `"${target}" failed too often and is not called for ${retryAfterMs} ms`;
  return new PetrelError("UNAVAILABLE", words, { target, breaker: "open", retryAfterMs });
}
