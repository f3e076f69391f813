import { describe, expect, test } from "bun:test";
import { StreamResponse } from "@a2a-js/sdk";
import * as fc from "fast-check";
import { createLocalJWKSet, exportJWK, flattenedVerify, generateKeyPair } from "jose";
import { importSigningKey, publicJwks } from "../../a2a/cards/keys.ts";
import { AddressGuard, type AddressRules } from "../../a2a/push/address.ts";
import { PushSender, type PushSenderOptions, retryAfterMs } from "../../a2a/push/deliver.ts";
import { FairSlots, Slots } from "../../a2a/push/slots.ts";
import { configOf, eventOf, REAL_MS, SkippingClock, startWebhook } from "./push-support.ts";

const seed = Number(process.env.PETREL_TEST_SEED);
const never = new AbortController().signal;
const LOCAL: AddressRules = { allow: ["127.0.0.0/8"], allowHttp: true };

function senderOn(clock: SkippingClock, more: Partial<PushSenderOptions> = {}): PushSender {
  const guard = new AddressGuard(LOCAL);
  return new PushSender({ guard, clock, attemptTimeoutMs: REAL_MS, random: () => 0.5, ...more });
}

const notification = (url: string, event = 4) => ({
  owner: "owner",
  config: configOf({ url }),
  event,
  response: eventOf("t1", event),
});

describe("one notification", () => {
  test("is the event's ProtoJSON, with the client's credentials and the event's id", async () => {
    await using webhook = startWebhook();
    const config = configOf({
      url: `${webhook.url}?key=1`,
      token: "t0ken",
      authentication: { scheme: "Basic", credentials: "dTpw" },
    });
    const response = eventOf("t1", 4);
    const sent = senderOn(new SkippingClock()).send(
      { owner: "owner", config, event: 4, response },
      never,
    );
    expect(await sent).toEqual({ kind: "delivered", attempts: 1 });
    const [got] = webhook.received;
    expect(got?.path).toBe("/hook?key=1");
    expect(StreamResponse.fromJSON(JSON.parse(got?.body ?? ""))).toEqual(response);
    expect(got?.headers.toJSON()).toMatchObject({
      "content-type": "application/a2a+json",
      "a2a-version": "1.0",
      "a2a-event": "4",
      "petrel-event-id": "t1.4",
      authorization: "Basic dTpw",
      "x-a2a-notification-token": "t0ken",
    });
    expect(got?.headers.has("petrel-signature")).toBe(false);
  });

  test("bears a signature that a receiver verifies, and that no other body has", async () => {
    await using webhook = startWebhook();
    for (const alg of ["Ed25519", "ES256"]) {
      const { privateKey } = await generateKeyPair(alg, { extractable: true });
      const key = await importSigningKey(await exportJWK(privateKey));
      const clock = new SkippingClock();
      await senderOn(clock, { key }).send(notification(webhook.url), never);
      const { body, headers } = webhook.received.at(-1)!;
      const [header = "", , signature = ""] = (headers.get("petrel-signature") ?? "").split(".");
      const keys = createLocalJWKSet(publicJwks([key]));
      const check = (text: string) =>
        flattenedVerify(
          { protected: header, payload: Buffer.from(text).toString("base64url"), signature },
          keys,
        );
      const { protectedHeader } = await check(body);
      expect(protectedHeader).toMatchObject({ jti: "t1.4", aud: webhook.url, kid: key.kid });
      expect(Math.abs(Number(protectedHeader?.iat) - clock.nowMs() / 1_000)).toBeLessThan(60);
      expect(JSON.stringify(publicJwks([key]))).not.toContain('"d"');
      await expect(check(`${body} `)).rejects.toThrow();
    }
  });

  test("is tried again, under the same id, while that can help", async () => {
    const statuses = [408, 425, 429, 500, 502, 503, 204];
    await using webhook = startWebhook((n) => statuses[n - 1] ?? 500);
    const clock = new SkippingClock();
    const outcome = await senderOn(clock).send(notification(webhook.url), never);
    expect(outcome).toEqual({ kind: "delivered", attempts: statuses.length });
    expect(
      new Set(webhook.received.map(({ headers }) => headers.get("petrel-event-id"))).size,
    ).toBe(1);
    expect(clock.naps).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000]);
  });

  test("waits as long as the webhook asks, but not for ever", async () => {
    const asked = ["3", "999999", "junk"];
    await using webhook = startWebhook((n) =>
      n > asked.length
        ? 200
        : new Response("", { status: 429, headers: { "retry-after": asked[n - 1] ?? "" } }),
    );
    const clock = new SkippingClock();
    await senderOn(clock).send(notification(webhook.url), never);
    expect(clock.naps).toEqual([3_000, 600_000, 2_000]);
  });

  test("is given up after its attempts, or its hour", async () => {
    await using webhook = startWebhook(() => 500);
    const few = { attemptsMax: 3, firstMs: 1, capMs: 10, totalMs: 1_000 };
    const outcome = await senderOn(new SkippingClock(), { retry: few }).send(
      notification(webhook.url),
      never,
    );
    expect(outcome).toMatchObject({ kind: "exhausted", why: expect.stringContaining("HTTP 500") });
    expect(webhook.received).toHaveLength(3);
    const clock = new SkippingClock();
    const slow = { attemptsMax: 99, firstMs: 600_000, capMs: 600_000, totalMs: 3_600_000 };
    expect(
      await senderOn(clock, { retry: slow }).send(notification(webhook.url), never),
    ).toMatchObject({ kind: "exhausted" });
    expect(clock.naps.reduce((sum, ms) => sum + ms, 0)).toBeLessThanOrEqual(3_600_000);
  });

  test("is refused at once by what will not change: 4xx, a redirect, an address inside", async () => {
    await using inside = startWebhook();
    for (const status of [400, 401, 403, 404, 413, 301, 302, 307]) {
      await using webhook = startWebhook(
        () => new Response("", { status, headers: { location: inside.url } }),
      );
      const outcome = await senderOn(new SkippingClock()).send(notification(webhook.url), never);
      expect(outcome).toEqual({ kind: "refused", why: `HTTP ${status}` });
      expect(webhook.received).toHaveLength(1);
    }
    const gone = startWebhook(() => 410);
    expect(await senderOn(new SkippingClock()).send(notification(gone.url), never)).toMatchObject({
      kind: "gone",
    });
    await gone[Symbol.asyncDispose]();
    const strict = senderOn(new SkippingClock(), { guard: new AddressGuard({ allowHttp: true }) });
    expect(await strict.send(notification(inside.url), never)).toMatchObject({ kind: "refused" });
    expect(inside.received).toHaveLength(0);
  });

  test("too large a one is not sent", async () => {
    await using webhook = startWebhook();
    const response = StreamResponse.fromJSON({
      artifactUpdate: { taskId: "t1", artifact: { parts: [{ text: "x".repeat(1024 * 1024) }] } },
    });
    const sent = senderOn(new SkippingClock()).send(
      { ...notification(webhook.url), response },
      never,
    );
    expect(await sent).toMatchObject({ kind: "refused" });
    expect(webhook.received).toHaveLength(0);
  });

  test("nobody there, and a webhook that is silent: tried again; a signal ends it", async () => {
    const few = { attemptsMax: 2, firstMs: 1, capMs: 1, totalMs: 1_000 };
    const absent = await senderOn(new SkippingClock(), { retry: few }).send(
      notification("http://127.0.0.1:1/"),
      never,
    );
    expect(absent).toMatchObject({ kind: "exhausted" });
    const stop = new AbortController();
    await using silent = startWebhook(() => {
      stop.abort(new Error("enough"));
      return new Promise<number>(() => {});
    });
    const sending = senderOn(new SkippingClock()).send(notification(silent.url), stop.signal);
    await expect(sending).rejects.toThrow("enough");
    // The clock skips this attempt's whole deadline: no answer in time.
    await using mute = startWebhook(() => new Promise<number>(() => {}));
    const late = senderOn(new SkippingClock(), { retry: few, attemptTimeoutMs: 10 });
    expect(await late.send(notification(mute.url), never)).toMatchObject({
      kind: "exhausted",
      why: expect.stringContaining("no answer in time"),
    });
  });
});

test("Retry-After: seconds, a date, or nothing", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  expect(retryAfterMs("120", now)).toBe(120_000);
  expect(retryAfterMs("Thu, 01 Jan 2026 00:00:30 GMT", now)).toBe(30_000);
  expect(retryAfterMs("Wed, 31 Dec 2025 00:00:30 GMT", now)).toBe(0);
  for (const none of [undefined, null, "", "-5", "1e9", "soon"]) {
    expect(retryAfterMs(none, now)).toBe(0);
  }
});

test("never more than so many POSTs at one time, whoever leaves the queue", async () => {
  const leaves = fc.array(fc.boolean(), { minLength: 1, maxLength: 30 });
  const property = fc.asyncProperty(
    fc.integer({ min: 1, max: 4 }),
    leaves,
    async (places, leaving) => {
      const slots = new Slots(places);
      let [inside, most, served] = [0, 0, 0];
      const work = leaving.map(async (isLeaving) => {
        const stop = new AbortController();
        const taking = slots.take(stop.signal);
        if (isLeaving) stop.abort(new Error("left"));
        try {
          using _slot = await taking;
          most = Math.max(most, ++inside);
          await Promise.resolve();
          inside--;
          served++;
        } catch {}
      });
      await Promise.all(work);
      expect(most).toBeLessThanOrEqual(places);
      expect(served).toBeGreaterThanOrEqual(leaving.filter((isLeaving) => !isLeaving).length);
      // Every place is free again.
      const all = await Promise.all(Array.from({ length: places }, () => slots.take(never)));
      for (const slot of all) slot[Symbol.dispose]();
    },
  );
  await fc.assert(property, { seed });
});

test("an owner with many slow webhooks holds up nobody else, and leaves nothing behind", async () => {
  const slots = new FairSlots(4, 2);
  const greedy = Array.from({ length: 10 }, () => slots.take("greedy", never));
  const taken = [await greedy[0]!, await greedy[1]!];
  const modest = [await slots.take("modest", never), await slots.take("other", never)];
  const stop = new AbortController();
  const waiting = slots.take("fourth", stop.signal);
  stop.abort(new Error("left"));
  await expect(waiting).rejects.toThrow("left");
  for (const slot of [...taken, ...modest]) slot[Symbol.dispose]();
  for (const slot of greedy.slice(2)) (await slot)[Symbol.dispose]();
  const all = await Promise.all(["a", "b", "c", "d"].map((owner) => slots.take(owner, never)));
  for (const slot of all) slot[Symbol.dispose]();
});
