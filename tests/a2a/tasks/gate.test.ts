import { expect, test } from "bun:test";
import { Gate } from "../../../a2a/tasks/gate.ts";
import { failureOf } from "../../support/failure.ts";

test("beyond the bound callers are told when to come back; who leaves twice leaves once", async () => {
  const gate = new Gate("things under way", 2);
  const leave = gate.enter();
  const { promise, resolve } = Promise.withResolvers<string>();
  const work = gate.within(() => promise);
  const refused = await failureOf(gate.within(async () => "never"));
  expect(refused).toMatchObject({ code: "OVERLOADED", fields: { limit: 2, retryAfterMs: 1_000 } });
  leave();
  leave();
  expect(await gate.within(async () => "inside")).toBe("inside");
  gate.enter();
  expect(() => gate.enter()).toThrow(/already has 2 things/);
  resolve("done");
  expect(await work).toBe("done");
  await expect(gate.within(() => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  expect(await gate.within(async () => "free again")).toBe("free again");
});
