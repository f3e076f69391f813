/** Calls and failures of the last while, in ten buckets: what is older is forgotten a tenth at a time. */

const BUCKETS = 10;

export class CallWindow {
  readonly #bucketMs: number;
  readonly #calls = new Float64Array(BUCKETS);
  readonly #failures = new Float64Array(BUCKETS);
  /** Number of the newest bucket since the epoch. */
  #newest = 0;

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / BUCKETS;
  }

  add(nowMs: number, isFailure: boolean): void {
    this.#advance(nowMs);
    const at = this.#newest % BUCKETS;
    this.#calls[at] = (this.#calls[at] ?? 0) + 1;
    if (isFailure) this.#failures[at] = (this.#failures[at] ?? 0) + 1;
  }

  counts(nowMs: number): { calls: number; failures: number } {
    this.#advance(nowMs);
    return { calls: sum(this.#calls), failures: sum(this.#failures) };
  }

  clear(): void {
    this.#calls.fill(0);
    this.#failures.fill(0);
  }

  /** A clock that was set back changes nothing: time stands still until it has caught up. */
  #advance(nowMs: number): void {
    const bucket = Math.floor(nowMs / this.#bucketMs);
    const passed = Math.min(BUCKETS, bucket - this.#newest);
    for (let step = 1; step <= passed; step++) {
      const at = (bucket - passed + step) % BUCKETS;
      this.#calls[at] = 0;
      this.#failures[at] = 0;
    }
    if (passed > 0) this.#newest = bucket;
  }
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
