import { expect, test } from "bun:test";
import { DEFAULT_RULES, rulesFor } from "../../streams/rules.ts";

test("without settings the defaults hold", () => {
  expect(rulesFor("any")).toEqual({
    http500CountMax: 100,
    http500PerMinuteMax: 10,
    latencyMeanMsMax: 1_000,
    jvmMemoryPercentMax: 90,
  });
});

test("a service's own threshold stands above the defaults, the rest is kept", () => {
  const rules = {
    defaults: { latencyMeanMsMax: 500 },
    services: { ledger: { http500CountMax: 5 } },
  };
  expect(rulesFor("ledger", rules)).toEqual({
    ...DEFAULT_RULES,
    latencyMeanMsMax: 500,
    http500CountMax: 5,
  });
  expect(rulesFor("other", rules).http500CountMax).toBe(100);
});

test("a service named like a property of every object has no rules of its own", () => {
  expect(rulesFor("constructor", { services: {} })).toEqual(DEFAULT_RULES);
});
