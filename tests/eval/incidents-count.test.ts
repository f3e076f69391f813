/** What the suite counts, with a lab whose agents do as they are told, and how faults are laid out. */
import { describe, expect, test } from "bun:test";
import type { Verdict } from "../../agents/mod.ts";
import type { Notice, ToldChange } from "../../alarms/mod.ts";
import type { Window } from "../../core/mod.ts";
import { figuresOf, isRight, type Told, wordsOf } from "../../eval/incidents/count.ts";
import { layOut, type RecordedFault } from "../../eval/incidents/episodes.ts";
import type { IncidentLab, Watched } from "../../eval/incidents/lab.ts";
import { follow } from "../../eval/incidents/suite.ts";
import type { Recording } from "../../sim/mod.ts";
import { failureOf } from "../support/failure.ts";

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2026, 2, 13, 12);
const signal = new AbortController().signal;
const between = (from: number, to: number): Window => {
  return { startMs: START_MS + from * MINUTE_MS, endMs: START_MS + to * MINUTE_MS };
};

const recording: Recording = {
  name: "made",
  windows: [],
  async *logRows() {},
  async *openMetrics() {
    yield "# EOF\n";
  },
};
const fault = (more: Partial<RecordedFault> = {}): RecordedFault => ({
  name: "it",
  kind: "exception",
  service: "payment-service",
  window: between(60, 63),
  before: between(0, 60),
  calm: [between(90, 91), between(100, 101)],
  hasLogsBefore: false,
  ...more,
});

const WINDOW = { start: "2026-03-13T12:00:00Z", end: "2026-03-13T12:03:00Z" };
const verdict = (outcome: Verdict["outcome"]): Verdict => ({
  id: "w",
  window: WINDOW,
  outcome,
  rootCause: null,
  confidence: 0,
  causes: [],
  evidence: [],
  sources: {},
  concludedAt: "2026-03-13T12:03:20Z",
});
const notice = (change: ToldChange, more: Partial<Notice> = {}): Notice => ({
  type: "petrel.alarm/v2",
  id: "i.1",
  incident: "i",
  change,
  kind: "fault",
  severity: "critical",
  title: "t",
  text: "t",
  by: "statistics",
  struck: 0,
  remarks: [],
  service: "payment-service",
  mechanism: "throws exceptions",
  confidence: 1,
  affected: [],
  evidence: [],
  next: [],
  seenBefore: [],
  window: WINDOW,
  openedAt: "",
  at: "",
  windows: 1,
  links: [],
  appendix: [],
  cost: { calls: 0, toolCalls: 0, promptTokens: 0, completionTokens: 0, usd: 0 },
  ...more,
});

type Script = Readonly<Record<number, Partial<Watched>>>;

/** A lab that says what stands in the script for each window, counted from 0. */
function labOf(script: Script, asked: Window[] = []): IncidentLab {
  return {
    watch: async () => ({
      look: async (window) => {
        const said = script[asked.push(window) - 1];
        return { verdict: verdict("quiet"), notices: [], llmCalls: 0, ...said };
      },
      [Symbol.asyncDispose]: async () => {},
    }),
  };
}

async function told(script: Script): Promise<Told> {
  const [one] = await follow(labOf(script), [{ recording, faults: [fault()] }], { signal });
  if (!one) throw new Error("nothing was followed");
  return one;
}

describe("one alarm, resolved when the fault is over", () => {
  test("is right, and its model was asked once", async () => {
    const one = await told({
      0: { verdict: verdict("incident"), notices: [notice("opened")], llmCalls: 1 },
      5: { verdict: verdict("incident"), notices: [notice("updated")], llmCalls: 1 },
      13: { notices: [notice("resolved")] },
    });
    expect(isRight(one)).toBe(true);
    expect(wordsOf(one)).toBe("opened payment-service, 1 updated, resolved");
    expect(figuresOf([one])).toEqual({
      faults: 1,
      alarmed: 1,
      one_alarm: 1,
      doubled: 0,
      named: 1,
      resolved: 1,
      resolved_early: 0,
      updates: 1,
      llm_calls: 2,
      llm_calls_per_change_max: 1,
      llm_calls_quiet_windows: 0,
    });
  });

  test("a fault that was there before is opened again, and that is its alarm", async () => {
    const one = await told({
      0: { notices: [notice("reopened")] },
      13: { notices: [notice("resolved")] },
    });
    expect([isRight(one), wordsOf(one)]).toEqual([true, "reopened payment-service, resolved"]);
  });
});

describe("what people cannot live with is counted", () => {
  const opened = { 0: { notices: [notice("opened")] } };
  const resolved = { 13: { notices: [notice("resolved")] } };

  test.each<[string, Script, Record<string, number>, string]>([
    [
      "a second alarm while it lasts",
      { ...opened, 4: { notices: [notice("opened", { service: "shop" })] }, ...resolved },
      { alarmed: 1, one_alarm: 0, doubled: 1 },
      "opened payment-service, opened in window 4 shop, resolved",
    ],
    [
      "a second alarm of another kind",
      { ...opened, 4: { notices: [notice("opened", { kind: "inconclusive" })] }, ...resolved },
      { one_alarm: 0, doubled: 1 },
      "opened payment-service, opened in window 4 inconclusive: payment-service, resolved",
    ],
    [
      "an alarm when it was over",
      { ...opened, 12: { notices: [notice("opened", { service: "shop" })] }, ...resolved },
      { one_alarm: 0, doubled: 1 },
      "opened payment-service, opened in window 12 shop, resolved",
    ],
    [
      "resolved while it goes on",
      { ...opened, 6: { notices: [notice("resolved")] } },
      { one_alarm: 1, resolved: 0, resolved_early: 1 },
      "opened payment-service, 1 resolved while it lasted, 0 times resolved",
    ],
    [
      "never resolved",
      opened,
      { one_alarm: 1, resolved: 0, resolved_early: 0 },
      "opened payment-service, 0 times resolved",
    ],
    [
      "a model that is asked without need",
      { 0: { notices: [notice("opened")], llmCalls: 4 }, 13: { ...resolved[13], llmCalls: 1 } },
      { llm_calls: 5, llm_calls_per_change_max: 4, llm_calls_quiet_windows: 5 },
      "opened payment-service, resolved",
    ],
    [
      "an alarm that names another service",
      { 0: { notices: [notice("opened", { service: "shop" })] }, ...resolved },
      { alarmed: 1, one_alarm: 1, named: 0 },
      "opened shop, resolved",
    ],
  ])("%s", async (_what, script, figures, words) => {
    const one = await told(script);
    expect(figuresOf([one])).toMatchObject(figures);
    expect(wordsOf(one)).toBe(words);
  });

  test("no alarm is not right either, and one that is no fault's does not count as one", async () => {
    const none = await told({});
    expect([isRight(none), wordsOf(none)]).toEqual([false, "not alarmed"]);
    const other = await told({ 2: { notices: [notice("opened", { kind: "inconclusive" })] } });
    expect(isRight(other)).toBe(false);
    expect(figuresOf([none, other])).toMatchObject({ faults: 2, alarmed: 0, one_alarm: 0 });
  });
});

describe("how faults are laid out", () => {
  test("eleven windows of the fault and four of quiet, in a row, one fault after the other", async () => {
    const asked: Window[] = [];
    const faults = [fault(), fault({ window: between(200, 205), before: between(140, 200) })];
    await follow(labOf({}, asked), [{ recording, faults }], { signal });
    expect(asked).toHaveLength(30);
    expect(asked[0]).toEqual(between(60, 63));
    expect(asked[14]).toEqual(between(102, 105));
    expect(asked[15]).toEqual(between(165, 170));
    for (const [index, { startMs }] of asked.entries()) {
      if (index % 15 > 0) expect(startMs).toBe(asked[index - 1]?.endMs ?? 0);
    }
  });

  test("normal is what the fault-free minutes say, or the windows before where they are there", () => {
    const lengths = { faulty: 11, quiet: 4 };
    const [said] = layOut(recording, [fault()], START_MS, lengths).episodes;
    expect(said?.baseline).toEqual([between(0, 1), between(1, 2)]);
    const watched = layOut(recording, [fault({ hasLogsBefore: true })], START_MS, lengths);
    expect(watched.episodes[0]?.baseline).toBeUndefined();
    expect(watched.endMs).toBe(between(0, 105).endMs);
  });

  test("without a fault there is nothing to follow; a signal ends it", async () => {
    expect(await failureOf(follow(labOf({}), [], { signal }))).toMatchObject({ code: "USAGE" });
    const stopped = { signal: AbortSignal.abort() };
    const failed = failureOf(follow(labOf({}), [{ recording, faults: [fault()] }], stopped));
    expect(await failed).toMatchObject({ code: "CANCELLED" });
  });
});
