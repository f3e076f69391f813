import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { type BreakerPolicy, CircuitBreakers, type Permit } from "../../a2a/calls/breaker.ts";
import { CallWindow } from "../../a2a/calls/window.ts";
import { type ErrorCode, PetrelError } from "../../core/mod.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const POLICY: BreakerPolicy = {
  windowMs: 1_000,
  callsMin: 4,
  failureRate: 0.5,
  openMs: 100,
  openMaxMs: 400,
  probeMs: 5_000,
};
const ill = () => new PetrelError("UNAVAILABLE", "away");

class HandClock {
  ms = 0;
  nowMs(): number {
    return this.ms;
  }
  async sleep(ms: number): Promise<void> {
    this.ms += ms;
  }
}

function bench(policy = POLICY, targetsMax?: number) {
  const clock = new HandClock();
  const breakers = new CircuitBreakers({ clock, policy, ...(targetsMax ? { targetsMax } : {}) });
  const stateOf = (target = "t") => breakers.list().find((each) => each.target === target)?.state;
  const fail = (times: number, target = "t") => {
    for (let n = 0; n < times; n++) breakers.admit(target).failed(ill());
  };
  return { clock, breakers, stateOf, fail };
}

describe("a circuit breaker", () => {
  test("opens at the rate, lets one probe through, closes when it is well", () => {
    const { clock, breakers, stateOf, fail } = bench();
    breakers.admit("t").succeeded();
    breakers.admit("t").succeeded();
    fail(1);
    expect(stateOf()).toBe("closed");
    fail(1);
    expect(stateOf()).toBe("open");
    expect(() => breakers.admit("t")).toThrow(/is not called for 100 ms/);
    expect(breakers.list()[0]).toMatchObject({
      calls: 4,
      failures: 2,
      retryAfterMs: 100,
      lastError: "away",
    });
    clock.ms += 100;
    const probe = breakers.admit("t");
    expect(stateOf()).toBe("half-open");
    expect(() => breakers.admit("t")).toThrow(PetrelError);
    probe.succeeded();
    expect(stateOf()).toBe("closed");
    expect(breakers.list()[0]).toMatchObject({ calls: 0, failures: 0, retryAfterMs: 0 });
  });

  test("stays open longer each time the probe fails, up to a bound", () => {
    const { clock, breakers, fail } = bench();
    fail(4);
    const waits: number[] = [];
    for (let n = 0; n < 5; n++) {
      const { retryAfterMs } = breakers.list()[0]!;
      waits.push(retryAfterMs);
      clock.ms += retryAfterMs;
      fail(1);
    }
    expect(waits).toEqual([100, 200, 400, 400, 400]);
    clock.ms += 400;
    breakers.admit("t").succeeded();
    fail(4);
    expect(breakers.list()[0]?.retryAfterMs).toBe(100);
  });

  test("counts only what means that the target is ill", () => {
    const well: ErrorCode[] = [
      "OVERLOADED",
      "QUERY_REFUSED",
      "CONFLICT",
      "UNAUTHENTICATED",
      "TOO_LARGE",
    ];
    for (const code of well) {
      const { breakers, stateOf } = bench();
      for (let n = 0; n < 20; n++) breakers.admit("t").failed(new PetrelError(code, "no"));
      expect([code, stateOf()]).toEqual([code, "closed"]);
      expect(breakers.list()[0]?.failures).toBe(0);
    }
    for (const code of ["UNAVAILABLE", "DEADLINE_EXCEEDED", "INCOMPLETE"] as const) {
      const { breakers, stateOf } = bench();
      for (let n = 0; n < 4; n++) breakers.admit("t").failed(new PetrelError(code, "ill"));
      expect([code, stateOf()]).toEqual([code, "open"]);
    }
    const { breakers } = bench();
    for (let n = 0; n < 20; n++) breakers.admit("t").failed(new PetrelError("CANCELLED", "left"));
    expect(breakers.list()[0]).toMatchObject({ calls: 0, failures: 0 });
  });

  test("a probe that was left, or never came back, makes room for another", () => {
    const { clock, breakers, stateOf, fail } = bench();
    fail(4);
    clock.ms += 100;
    breakers.admit("t").left();
    breakers.admit("t").failed(new PetrelError("CANCELLED", "left"));
    const lost = breakers.admit("t");
    clock.ms += POLICY.probeMs - 1;
    expect(() => breakers.admit("t")).toThrow(PetrelError);
    clock.ms += 1;
    breakers.admit("t").succeeded();
    lost.failed(ill());
    expect(stateOf()).toBe("closed");
  });

  test("what began before it opened says nothing about now", () => {
    const { clock, breakers, stateOf, fail } = bench();
    const early = [breakers.admit("t"), breakers.admit("t")];
    fail(4);
    early[0]!.succeeded();
    expect(stateOf()).toBe("open");
    clock.ms += 100;
    const probe = breakers.admit("t");
    early[1]!.failed(ill());
    expect(stateOf()).toBe("half-open");
    probe.succeeded();
    probe.failed(ill());
    expect(stateOf()).toBe("closed");
    expect(breakers.list()[0]?.failures).toBe(0);
  });

  test("targets are apart from each other, and only so many are remembered", () => {
    const { breakers, stateOf, fail } = bench(POLICY, 3);
    fail(4, "a");
    breakers.admit("b").succeeded();
    expect([stateOf("a"), stateOf("b")]).toEqual(["open", "closed"]);
    for (const target of ["c", "d", "e"]) breakers.admit(target).succeeded();
    expect(breakers.list().map(({ target }) => target)).toEqual(["c", "d", "e"]);
  });
});

test("the state machine, against a model of it", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 250 }) }),
    fc.record({
      kind: fc.constantFrom("ok" as const, "ill" as const, "cancelled" as const),
      ms: fc.constant(0),
    }),
    fc.record({
      kind: fc.constantFrom("begin" as const, "end-ok" as const, "end-ill" as const),
      ms: fc.constant(0),
    }),
  );
  const property = fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const { clock, breakers } = bench({ ...POLICY, windowMs: 1e9 });
    let model = {
      state: "closed",
      calls: 0,
      failures: 0,
      openMs: 100,
      until: 0,
      probing: false,
      age: 0,
    };
    const pending: { permit: Permit; age: number }[] = [];
    const enter = (state: string, more = {}) => {
      model = { ...model, state, probing: false, age: model.age + 1, ...more };
    };
    const admit = (): Permit | undefined => {
      if (model.state === "open" && clock.ms >= model.until) enter("half-open");
      const isRefused = model.state === "open" || (model.state === "half-open" && model.probing);
      if (isRefused) {
        expect(() => breakers.admit("t")).toThrow(PetrelError);
        return undefined;
      }
      model.probing = model.state === "half-open";
      return breakers.admit("t");
    };
    const end = (permit: Permit, how: string, age: number) => {
      if (how === "ok") permit.succeeded();
      else permit.failed(how === "ill" ? ill() : new PetrelError("CANCELLED", "left"));
      if (age !== model.age) return;
      if (how === "cancelled") model.probing = false;
      if (how === "cancelled") return;
      model.calls++;
      if (how === "ill") model.failures++;
      if (how === "ok" && model.state === "half-open") {
        enter("closed", { calls: 0, failures: 0, openMs: 100 });
      } else if (how === "ill" && model.state === "half-open") {
        const openMs = Math.min(400, model.openMs * 2);
        enter("open", { openMs, until: clock.ms + openMs });
      } else if (how === "ill" && model.calls >= 4 && model.failures >= model.calls / 2) {
        enter("open", { until: clock.ms + model.openMs });
      }
    };
    for (const { kind, ms } of steps) {
      if (kind === "wait") clock.ms += ms;
      else if (kind === "begin") {
        const permit = admit();
        if (permit) pending.push({ permit, age: model.age });
      } else if (kind === "end-ok" || kind === "end-ill") {
        const oldest = pending.shift();
        if (oldest) end(oldest.permit, kind.slice(4), oldest.age);
      } else {
        const permit = admit();
        if (permit) end(permit, kind, model.age);
      }
      const [shown] = breakers.list();
      if (shown) expect(shown.state).toBe(model.state as never);
    }
  });
  fc.assert(property, { seed });
});

test("the window forgets by tenths, never what is younger, and stands still when the clock goes back", () => {
  const calls = fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.boolean()), {
    maxLength: 100,
  });
  const property = fc.property(calls, (steps) => {
    const window = new CallWindow(1_000);
    const made: { atMs: number; isFailure: boolean }[] = [];
    let now = 0;
    for (const [passed, isFailure] of steps) {
      now += passed;
      window.add(now, isFailure);
      made.push({ atMs: now, isFailure });
      const { calls: counted, failures } = window.counts(now);
      const within = (ms: number) => made.filter(({ atMs }) => now - atMs < ms);
      expect(counted).toBeGreaterThanOrEqual(within(900).length);
      expect(counted).toBeLessThanOrEqual(within(1_000).length);
      expect(failures).toBeLessThanOrEqual(counted);
      expect(window.counts(now - 5_000)).toEqual({ calls: counted, failures });
    }
    expect(window.counts(now + 1_000)).toEqual({ calls: 0, failures: 0 });
  });
  fc.assert(property, { seed });
});
