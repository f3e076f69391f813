import { expect, test } from "bun:test";
import { type ExplainInput, explainVerdict } from "../../streams/explain.ts";

const window = { start: "2023-01-29T08:45:00.000Z", end: "2023-01-29T08:50:00.000Z" };
const evidence = ["e1", "e2", "e3"].map((id, at) => ({
  id,
  finding: {
    id: `logs-${at + 1}`,
    kind: "template_new" as const,
    service: "pay",
    summary: `Thing ${at + 1} happened.`,
    score: 9,
    anomalous: true,
    direction: "new" as const,
  },
}));
const cause = {
  service: "pay",
  mechanism: "database connection pool exhausted",
  location: "database connection pool",
  confidence: 0.93,
  evidence: ["e1", "e2", "e77"],
  affected: ["shop", "web"],
  next: ["Look for slow statements."],
};
const incident: ExplainInput = { window, outcome: "incident", causes: [cause], evidence };

test("names service, mechanism, confidence, evidence and who suffers", () => {
  const words = explainVerdict(incident);
  expect(words.title).toBe("pay: database connection pool exhausted");
  expect(words.text).toBe(
    "Between 08:45–08:50 UTC pay is the most likely cause: database connection pool exhausted, confidence 93 % [e1][e2]. Thing 1 happened [e1]; Thing 2 happened [e2]. shop, web suffer from it.",
  );
  expect(words.next).toEqual(["Look for slow statements."]);
});

test("cites only evidence that exists", () => {
  const words = explainVerdict(incident);
  expect(words.evidence).toEqual(["e1", "e2"]);
  expect(words.text).not.toContain("e77");
});

test.each([
  ["network delay", "-> ts-auth-service", "pay: network delay (towards ts-auth-service)"],
  ["returns wrong data", "A#31 -> A#34", "pay: returns wrong data (between A#31 and A#34)"],
  ["throws exceptions", "A#31", "pay: throws exceptions (A#31)"],
])("%s at %s is told in words", (mechanism, location, title) => {
  const words = explainVerdict({ ...incident, causes: [{ ...cause, mechanism, location }] });
  expect(words.title).toBe(title);
  expect(words.text).toContain(title.slice("pay: ".length));
});

test("evidence of another service says whose it is", () => {
  const others = evidence.map((one) => ({ ...one, finding: { ...one.finding, service: "shop" } }));
  const words = explainVerdict({ ...incident, evidence: others });
  expect(words.text).toContain("shop: Thing 1 happened [e1]; shop: Thing 2 happened [e2].");
});

test("a weak cause is a suspicion, and a near rival is named", () => {
  const rival = {
    ...cause,
    service: "ledger",
    mechanism: "cpu contention",
    confidence: 0.3,
    evidence: ["e3"],
  };
  const words = explainVerdict({ ...incident, causes: [{ ...cause, confidence: 0.4 }, rival] });
  expect(words.text).toContain("pay may be the cause");
  expect(words.text).toContain("ledger (cpu contention) cannot be ruled out [e3].");
  expect(words.evidence).toEqual(["e1", "e2", "e3"]);
});

test("what stays open is said, with and without a cause", () => {
  const reason = "splunk timed_out: no reply in time";
  expect(explainVerdict({ ...incident, reason }).text).toContain(`Open: ${reason}.`);
  const nothing = explainVerdict({
    window,
    outcome: "inconclusive",
    reason,
    causes: [],
    evidence: [],
  });
  expect(nothing.title).toBe("No verdict");
  expect(nothing.text).toContain("no cause could be named");
  expect(nothing.next.length).toBe(1);
});

test("a quiet window is told as quiet", () => {
  const words = explainVerdict({ window, outcome: "quiet", causes: [], evidence: [] });
  expect(words).toEqual({
    title: "Nothing unusual",
    text: "Between 08:45–08:50 UTC nothing was far enough from normal.",
    evidence: [],
    next: [],
  });
});
