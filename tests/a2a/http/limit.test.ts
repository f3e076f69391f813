/** How much one caller may have, and how much all of them. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { addressKey, RateLimiter, Slots } from "../../../a2a/http/limit.ts";
import { systemClock } from "../../../core/mod.ts";
import { until } from "../../support/until.ts";
import { fakeAgent } from "./fake-agent.ts";
import { post, rpc, sending, startStand } from "./support.ts";

const seed = Number(process.env["PETREL_TEST_SEED"]);

function handClock() {
  let nowMs = 1_000_000;
  const clock = { ...systemClock, nowMs: () => nowMs };
  return { clock, pass: (ms: number) => (nowMs += ms) };
}

function passes(limiter: RateLimiter, key: string): boolean {
  try {
    limiter.take(key);
    return true;
  } catch {
    return false;
  }
}

test("never more than the burst and what time has brought, and no less", () => {
  const steps = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 });
  const limits = fc.record({
    perSecond: fc.integer({ min: 1, max: 50 }),
    burst: fc.integer({ min: 1, max: 20 }),
  });
  const holds = fc.property(steps, limits, (waits, limit) => {
    const { clock, pass } = handClock();
    const limiter = new RateLimiter(limit, clock);
    let model = limit.burst;
    for (const ms of waits) {
      pass(ms);
      model = Math.min(limit.burst, model + (ms * limit.perSecond) / 1_000);
      const isAllowed = passes(limiter, "a");
      // Sums of fractions may differ by a hair at the edge.
      if (Math.abs(model - 1) > 1e-6) expect(isAllowed).toBe(model >= 1);
      if (isAllowed) model -= 1;
    }
  });
  fc.assert(holds, { seed });
});

test("each has a bucket of its own; a refusal says when there will be room", () => {
  const { clock, pass } = handClock();
  const limiter = new RateLimiter({ perSecond: 0.5, burst: 1 }, clock);
  expect(passes(limiter, "a")).toBe(true);
  expect(passes(limiter, "b")).toBe(true);
  expect(() => limiter.take("a")).toThrow(
    expect.objectContaining({ status: 429, headers: { "retry-after": "2" } }),
  );
  pass(2_000);
  expect(passes(limiter, "a")).toBe(true);
});

test("the table is bounded: whoever was silent for longest is forgotten", () => {
  const { clock } = handClock();
  const limiter = new RateLimiter({ perSecond: 1, burst: 1 }, clock, 100);
  for (let n = 0; n < 1_000; n++) {
    passes(limiter, "steady");
    limiter.take(`caller ${n}`);
    expect(limiter.size).toBeLessThanOrEqual(100);
  }
  expect(passes(limiter, "steady")).toBe(false);
});

test("a place is left once, however often", () => {
  const slots = new Slots(2, "things");
  const leave = slots.enter();
  slots.enter();
  expect(() => slots.enter()).toThrow(expect.objectContaining({ status: 503 }));
  leave();
  leave();
  expect(slots.open).toBe(1);
});

test("an IPv6 network is one caller, and IPv4 is the same in both notations", () => {
  expect(addressKey("10.1.2.3")).toBe("10.1.2.3");
  expect(addressKey("::ffff:10.1.2.3")).toBe("10.1.2.3");
  expect(addressKey("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2");
  expect(addressKey("2001:db8:1:2::9")).toBe("2001:db8:1:2");
  expect(addressKey("fe80::1%eth0")).toBe("fe80:0:0:0");
  expect(addressKey("::1")).toBe("0:0:0:0");
});

test("over HTTP: 429 with Retry-After in both bindings", async () => {
  await using stand = await startStand({ rateLimit: { perSecond: 0.001, burst: 2 } });
  const url = `${stand.url}/agents/echo`;
  const ask = () => post(url, rpc("SendMessage", sending({})));
  expect((await ask()).status).toBe(200);
  expect((await ask()).status).toBe(200);
  const refused = await ask();
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await refused.json()).toMatchObject({ jsonrpc: "2.0", error: { code: -32000 } });
  const rest = await post(`${url}/message:send`, sending({}));
  expect(rest.status).toBe(429);
  expect(await rest.json()).toMatchObject({ error: { status: "RESOURCE_EXHAUSTED" } });
});

test("over HTTP: 503 when the gateway is full, and room again when somebody left", async () => {
  await using stand = await startStand({ requestsMax: 1, streamsMax: 1 });
  let isAsked = false;
  await fakeAgent(stand.agents.nc, "fake", ({ message, send }) => {
    isAsked = true;
    if (message.subject.endsWith("SendStreamingMessage")) send({ kind: "heartbeat", seq: 0 });
  });
  const fake = `${stand.url}/agents/fake`;
  const echo = `${stand.url}/agents/echo`;
  const leaving = new AbortController();
  const body = JSON.stringify(rpc("GetTask", { id: "x" }));
  const headers = { "a2a-version": "1.0", "content-type": "application/json" };
  const waiting = fetch(fake, { method: "POST", headers, body, signal: leaving.signal });
  await until("the agent is asked", () => isAsked);
  const full = await post(echo, rpc("SendMessage", sending({})));
  expect(full.status).toBe(503);
  expect(full.headers.get("retry-after")).toBe("1");
  expect(await full.text()).toContain("OVERLOADED");
  leaving.abort();
  await waiting.catch(() => {});
  await until("the request has left", () => stand.open().requests === 0);
  const stream = await post(fake, rpc("SendStreamingMessage", sending({})));
  expect(stream.status).toBe(200);
  const second = await post(fake, rpc("SendStreamingMessage", sending({})));
  expect(second.status).toBe(503);
  // A stream takes no place of a request.
  expect((await post(echo, rpc("SendMessage", sending({})))).status).toBe(200);
  await stream.body?.cancel();
  await until("the stream has left", () => stand.open().streams === 0);
});
