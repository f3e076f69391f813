/** Records and notices are valid whatever the verdict holds: text from logs is bounded and stays text. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { plainWords } from "../../../agents/explain/plain.ts";
import { noticeOf, recorded } from "../../../agents/incidents/compose.ts";
import { Incident } from "../../../agents/incidents/record.ts";
import { Notice } from "../../../alarms/mod.ts";
import { finding } from "../verdict-fixtures.ts";
import { fault, Life, quiet } from "./fixtures.ts";

const seed = Number(process.env.PETREL_TEST_SEED);

const anyText = fc.oneof(
  fc.string({ maxLength: 1_000, unit: "binary" }),
  fc.string({ maxLength: 20 }).map((text) => text.repeat(100)),
);

const anyFault = fc.record({
  service: anyText.filter((text) => text.length > 0),
  mechanism: anyText,
  location: anyText,
  affected: fc.array(anyText, { maxLength: 80 }),
  summary: anyText.map((text) => text.slice(0, 1_000)),
  next: fc.array(anyText, { maxLength: 10 }),
});

test("any fault makes a record and a notice of it that their readers accept", () => {
  const property = fc.property(anyFault, (words) => {
    const { service, mechanism, location, affected, summary, next } = words;
    const made = fault(0, { service, mechanism, affected });
    const [cause] = made.causes;
    const verdict = {
      ...made,
      id: "w0",
      rootCause: { service, mechanism, location },
      causes: cause ? [{ ...cause, location, next }] : [],
      evidence: [{ id: "e1", source: "logs" as const, finding: finding({ summary }) }],
    };
    const life = new Life();
    life.see(verdict);
    const [head] = life.book.heads;
    const [change] = head?.pending ?? [];
    if (!head || !change) throw new Error("nothing was decided");
    const told = { verdict, explanation: plainWords(verdict), seenBefore: [], sinks: ["slack"] };
    const incident = Incident.parse(recorded(undefined, head, change, told));
    const [entry] = incident.timeline;
    if (!entry) throw new Error("nothing was recorded");
    expect(Notice.parse(noticeOf(incident, entry))).toMatchObject({ change: "opened" });
    expect(recorded(incident, head, change, told)).toBe(incident);
  });
  fc.assert(property, { seed, numRuns: 200 });
});

test("an end is told with the words of what ended, and without next steps", () => {
  const life = new Life({ resolveAfterWindows: 1 });
  const verdict = fault(0);
  life.see(verdict);
  const [open] = life.book.heads;
  const first = open?.pending[0];
  if (!open || !first) throw new Error("nothing was decided");
  const words = { verdict, explanation: plainWords(verdict), seenBefore: [], sinks: [] };
  const incident = recorded(undefined, open, first, words);
  life.see(quiet(1));
  const [over] = life.book.heads;
  const last = over?.pending.at(-1);
  if (!over || !last) throw new Error("nothing was resolved");
  const nobody = { verdict: undefined, explanation: undefined, seenBefore: [], sinks: [] };
  const ended = recorded(incident, over, last, nobody);
  const [, entry] = ended.timeline;
  if (!entry) throw new Error("nothing was recorded");
  const notice = noticeOf(ended, entry);
  expect(notice).toMatchObject({ change: "resolved", title: incident.title, next: [] });
  expect(notice?.text).toContain("last seen");
  expect(ended.evidence).toEqual(verdict.evidence);
});

test("the end of one that went on for days says which days", () => {
  const life = new Life({ resolveAfterWindows: 1 });
  life.see(fault(0));
  life.see(fault(250));
  life.see(quiet(251));
  const [head] = life.book.heads;
  const change = head?.pending.at(-1);
  if (!head || !change) throw new Error("nothing was decided");
  const told = { verdict: undefined, explanation: undefined, seenBefore: [], sinks: [] };
  const over = recorded(undefined, head, change, told);
  const [entry] = over.timeline;
  expect(entry && noticeOf(over, entry)?.text).toContain(
    "last seen 2026-01-29 to 2026-01-30, 08:45–05:40 UTC",
  );
});

test("words about a cause that an incident is no longer about are not told of the new one", () => {
  const life = new Life({ resolveAfterWindows: 1 });
  const first = fault(0, { confidence: 0.6 });
  life.see(first);
  const [open] = life.book.heads;
  const [opened] = open?.pending ?? [];
  if (!open || !opened) throw new Error("nothing was decided");
  const shared = { seenBefore: [], sinks: [] };
  const words = { verdict: first, explanation: plainWords(first), ...shared };
  const known = recorded(undefined, open, opened, words);
  // Another, surer cause is not told while it waits for its turn, and then it is over.
  life.see(fault(1, { service: "order-service", affected: ["payment-service"] }));
  life.see(quiet(2));
  const [head] = life.book.heads;
  const change = head?.pending.at(-1);
  if (!head || !change) throw new Error("nothing was decided");
  const over = recorded(known, head, change, {
    verdict: undefined,
    explanation: undefined,
    ...shared,
  });
  expect(over).toMatchObject({ service: "order-service" });
  expect(over.title).toBe("order-service: connection pool exhausted");
  expect(over.explanation).toBeUndefined();
});
