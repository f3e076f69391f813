import { describe, expect, test } from "bun:test";
import { Task, TaskPushNotificationConfig } from "@a2a-js/sdk";
import type { RequestOptions, Transport } from "@a2a-js/sdk/client";
import { TaskNotFoundError } from "@a2a-js/sdk/errors";
import * as fc from "fast-check";
import { CircuitBreakers } from "../../a2a/calls/breaker.ts";
import {
  type CallOptions,
  callWithRetry,
  RetryBudget,
  retryAfterOf,
} from "../../a2a/calls/call.ts";
import { startDeadline } from "../../a2a/calls/deadline.ts";
import { ResilientTransport } from "../../a2a/calls/resilient.ts";
import { type Clock, PetrelError, systemClock } from "../../core/mod.ts";
import { eventOf } from "./push-support.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const away = () => new PetrelError("UNAVAILABLE", "away");

/** Only sleeping moves its hands. */
class HandClock implements Clock {
  ms = 1_000;
  readonly naps: number[] = [];
  nowMs(): number {
    return this.ms;
  }
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.naps.push(ms);
    this.ms += ms;
  }
}

function optionsOn(clock: Clock, more: Partial<CallOptions> = {}): CallOptions {
  return {
    target: "t",
    breakers: new CircuitBreakers({ clock }),
    budget: new RetryBudget(clock),
    clock,
    deadlineMs: clock.nowMs() + 60_000,
    random: () => 0.5,
    ...more,
  };
}

function failing(...errors: unknown[]) {
  let calls = 0;
  const attempt = async () => {
    const error = errors[calls++];
    if (error !== undefined) throw error;
    return calls;
  };
  return { attempt, calls: () => calls };
}

describe("what is repeated", () => {
  test("what says later, not before the peer asked for, and not after the deadline", async () => {
    const clock = new HandClock();
    const busy = new PetrelError("OVERLOADED", "busy", { retryAfterMs: "1000" });
    expect(await callWithRetry(optionsOn(clock), failing(busy, busy).attempt)).toBe(3);
    expect(clock.ms).toBe(1_000 + 2 * 1_000);
    const late = new PetrelError("OVERLOADED", "busy", { retryAfterMs: 90_000 });
    const { attempt, calls } = failing(late);
    await expect(callWithRetry(optionsOn(clock), attempt)).rejects.toBe(late);
    expect(calls()).toBe(1);
  });

  test("nothing else, and nothing that a budget has not room for", async () => {
    const clock = new HandClock();
    for (const error of [
      new PetrelError("QUERY_REFUSED", "no"),
      new TaskNotFoundError(),
      new Error("odd"),
    ]) {
      const { attempt, calls } = failing(error);
      await expect(callWithRetry(optionsOn(clock), attempt)).rejects.toBe(error);
      expect(calls()).toBe(1);
    }
    const budget = new RetryBudget(clock, { share: 0, perSecond: 0, tokensMax: 1 });
    const { attempt, calls } = failing(away(), away(), away());
    await expect(callWithRetry(optionsOn(clock, { budget }), attempt)).rejects.toThrow("away");
    expect(calls()).toBe(2);
  });

  test("of what must not arrive twice only what surely did not arrive", async () => {
    const once = { isRepeatable: false };
    for (const code of ["UNAVAILABLE", "OVERLOADED"] as const) {
      const { attempt } = failing(new PetrelError(code, "no"));
      expect(await callWithRetry(optionsOn(new HandClock(), once), attempt)).toBe(2);
    }
    for (const code of ["DEADLINE_EXCEEDED", "INCOMPLETE", "CONFLICT"] as const) {
      const { attempt, calls } = failing(new PetrelError(code, "perhaps"));
      await expect(callWithRetry(optionsOn(new HandClock(), once), attempt)).rejects.toThrow(
        "perhaps",
      );
      expect(calls()).toBe(1);
    }
  });

  test("an open circuit answers at once, and is not waited for", async () => {
    const clock = new HandClock();
    const options = optionsOn(clock);
    for (let n = 0; n < 10; n++) options.breakers.admit("t").failed(away());
    const { attempt, calls } = failing();
    await expect(callWithRetry(options, attempt)).rejects.toMatchObject({
      code: "UNAVAILABLE",
      fields: { breaker: "open" },
    });
    expect([calls(), clock.naps]).toEqual([0, []]);
  });

  test("a signal ends the wait for the hour the peer asked for", async () => {
    const stop = new AbortController();
    const busy = new PetrelError("OVERLOADED", "busy", { retryAfterMs: 3_000_000 });
    const options = optionsOn(systemClock, {
      deadlineMs: Number.MAX_SAFE_INTEGER,
      signal: stop.signal,
      random: () => 0,
      onRetry: () => queueMicrotask(() => setTimeout(() => stop.abort())),
    });
    await expect(callWithRetry(options, failing(busy).attempt)).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });

  test("retries are no storm: a share of the calls, and a few", async () => {
    const loads = fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 1, maxLength: 200 });
    const property = fc.asyncProperty(loads, async (pauses) => {
      const clock = new HandClock();
      const begun = clock.ms;
      const budget = new RetryBudget(clock, { share: 0.2, perSecond: 1, tokensMax: 10 });
      let attempts = 0;
      for (const pause of pauses) {
        clock.ms += pause;
        const breakers = new CircuitBreakers({ clock });
        const options = optionsOn(clock, { budget, breakers });
        await callWithRetry(options, async () => {
          attempts++;
          throw away();
        }).catch(() => {});
      }
      const seconds = (clock.ms - begun) / 1_000;
      expect(attempts - pauses.length).toBeLessThanOrEqual(
        10 + 0.2 * pauses.length + seconds + 1e-6,
      );
    });
    await fc.assert(property, { seed, numRuns: 50 });
  });

  test("what a peer asks for is a number, or nothing", () => {
    const asked = (retryAfterMs: string | number) =>
      retryAfterOf(new PetrelError("OVERLOADED", "", { retryAfterMs }));
    expect([asked("250"), asked(250), asked(1e12)]).toEqual([250, 250, 3_600_000]);
    for (const none of [-1, "x", Number.NaN, Number.POSITIVE_INFINITY, ""])
      expect(asked(none)).toBe(0);
    expect(retryAfterOf(new Error("x"))).toBe(0);
  });
});

describe("any transport, made resilient", () => {
  /** A transport of which a test gives the methods it uses. */
  const transportOf = (methods: Partial<Transport>): Transport => methods as Transport;
  const around = (inner: Transport, clock: Clock, isIdempotent = true) => {
    const breakers = new CircuitBreakers({ clock });
    const budget = new RetryBudget(clock);
    const random = () => 0.5;
    const common = { target: "t", breakers, budget, clock, random, isIdempotent };
    return { breakers, transport: new ResilientTransport({ inner, ...common }) };
  };

  test("tells each attempt how much time is left", async () => {
    const clock = new HandClock();
    const seen: RequestOptions[] = [];
    const getTask = async (_: unknown, options?: RequestOptions) => {
      seen.push(options ?? {});
      if (seen.length < 3) throw away();
      return Task.fromJSON({ id: "t1" });
    };
    const { transport } = around(transportOf({ getTask }), clock);
    const serviceParameters = { "a2a-timeout-ms": "5000", traceparent: "x" };
    const params = { id: "t1", tenant: "", historyLength: 0 };
    expect((await transport.getTask(params, { serviceParameters })).id).toBe("t1");
    expect(seen.map(({ serviceParameters: sent }) => sent)).toEqual([
      { "a2a-timeout-ms": "5000", traceparent: "x" },
      { "a2a-timeout-ms": "4950", traceparent: "x" },
      { "a2a-timeout-ms": "4850", traceparent: "x" },
    ]);
  });

  test("sends twice what may arrive twice, and no other", async () => {
    const late = () => new PetrelError("DEADLINE_EXCEEDED", "late");
    const attemptsOf = async (
      isIdempotent: boolean,
      send: (transport: Transport) => Promise<unknown>,
    ) => {
      let attempts = 0;
      const fail = async () => {
        attempts++;
        throw late();
      };
      const inner = transportOf({
        sendMessage: fail,
        cancelTask: fail,
        createTaskPushNotificationConfig: fail,
      });
      await send(around(inner, new HandClock(), isIdempotent).transport).catch(() => {});
      return attempts;
    };
    const message = {
      tenant: "",
      message: undefined,
      configuration: undefined,
      metadata: undefined,
    };
    expect(await attemptsOf(true, (to) => to.sendMessage(message))).toBe(4);
    expect(await attemptsOf(false, (to) => to.sendMessage(message))).toBe(1);
    const task = { id: "t1", tenant: "", metadata: undefined };
    expect(await attemptsOf(true, (to) => to.cancelTask(task))).toBe(1);
    const config = (id: string) => TaskPushNotificationConfig.fromJSON({ id });
    expect(await attemptsOf(true, (to) => to.createTaskPushNotificationConfig(config("")))).toBe(1);
    expect(await attemptsOf(true, (to) => to.createTaskPushNotificationConfig(config("c")))).toBe(
      4,
    );
  });

  test("a stream is begun once; its first word counts as health, its loss as illness", async () => {
    const clock = new HandClock();
    let begun = 0;
    const streaming = (words: number, error?: Error) =>
      transportOf({
        async *resubscribeTask() {
          begun++;
          for (let n = 1; n <= words; n++) yield eventOf("t1", n);
          if (error) throw error;
        },
      });
    const read = async (inner: Transport, most = 99) => {
      const { transport, breakers } = around(inner, clock);
      let got = 0;
      try {
        for await (const _ of transport.resubscribeTask({ id: "t1", tenant: "" }))
          if (++got >= most) break;
      } catch {}
      return { got, ...breakers.list()[0] };
    };
    const lost = new PetrelError("INCOMPLETE", "lost");
    expect(await read(streaming(3))).toMatchObject({ got: 3, calls: 1, failures: 0 });
    expect(await read(streaming(3, lost))).toMatchObject({ got: 3, calls: 1, failures: 0 });
    expect(await read(streaming(0, lost))).toMatchObject({ got: 0, calls: 1, failures: 1 });
    expect(await read(streaming(3), 1)).toMatchObject({ got: 1, calls: 1 });
    expect(await read(streaming(0))).toMatchObject({ calls: 1, failures: 0 });
    expect(begun).toBe(5);
  });
});

test("a deadline ends, follows its signal, and leaves nothing behind", async () => {
  const clock = new HandClock();
  const over = startDeadline({ clock, timeoutMs: 5, what: "x" });
  await Promise.resolve();
  expect(over.signal.reason).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  const outer = new AbortController();
  {
    using deadline = startDeadline({
      clock: systemClock,
      timeoutMs: 60_000,
      signal: outer.signal,
      what: "x",
    });
    outer.abort(new Error("enough"));
    expect(String(deadline.signal.reason)).toContain("enough");
  }
  using late = startDeadline({
    clock: systemClock,
    timeoutMs: 60_000,
    signal: outer.signal,
    what: "x",
  });
  expect(late.signal.aborted).toBe(true);
});
