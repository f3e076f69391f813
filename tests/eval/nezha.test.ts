import { afterEach, describe, expect, test } from "bun:test";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Verdict } from "../../agents/mod.ts";
import { formatWindow, type Window } from "../../core/mod.ts";
import type { Lab } from "../../eval/mod.ts";
import { nezha } from "../../eval/nezha/suite.ts";
import { failureOf } from "../support/failure.ts";
import { makeNezha } from "./nezha-folder.ts";

const made: string[] = [];
async function folder(left: readonly string[] = []): Promise<string> {
  const dir = await makeNezha(left);
  made.push(dir);
  return dir;
}

afterEach(async () => {
  for (const dir of made.splice(0)) await rm(dir, { recursive: true, force: true });
});

interface Asked {
  readonly sources: readonly string[];
  readonly window: Window;
  readonly alerted: boolean;
  readonly baselines: number;
}

function verdict(services: readonly string[], outcome: Verdict["outcome"]): Verdict {
  const causes = services.map((service) => ({
    service,
    mechanism: "errors",
    score: 1,
    confidence: 0.5,
    evidence: [],
    against: [],
    affected: [],
    next: [],
  }));
  const window = { start: "", end: "" };
  const base = { id: "w", window, rootCause: null, confidence: 0, evidence: [], sources: {} };
  return { ...base, outcome, causes, concludedAt: "" };
}

/** Agents that always suspect the shop first and price second, and alarm when they are told of a fault. */
function labOf(asked: Asked[]): Lab {
  return {
    open: async (_recording, sources) => ({
      investigate: async (window, { baseline, alerted }) => {
        asked.push({ sources, window, alerted, baselines: baseline.length });
        const named = ["ts-shop-service", "ts-price-service"];
        return verdict(alerted ? named : [], alerted ? "incident" : "quiet");
      },
      [Symbol.asyncDispose]: async () => {},
    }),
  };
}

const signal = new AbortController().signal;

describe("what the suite counts", () => {
  test("the rank of the fault's service, by type, with both sources and with either alone", async () => {
    const asked: Asked[] = [];
    const done: number[] = [];
    const result = await nezha(labOf(asked))({
      dir: await folder(),
      signal,
      onProgress: (at, total) => done.push(at / total),
    });
    expect(result.cases).toBe(2);
    expect(result.metrics).toEqual({
      "AS@1": 50,
      "AS@3": 100,
      "AS@5": 100,
      alarmed: 100,
      fault_free_windows: 1,
      fault_free_alarms: 0,
    });
    expect(result.byGroup["cpu_contention"]).toMatchObject({ cases: 1, "AS@1": 100 });
    expect(result.byGroup["return"]).toMatchObject({ cases: 1, "AS@1": 0, "AS@3": 100 });
    expect(Object.keys(result.byGroup)).toContain("logs alone");
    expect(result.byGroup["metrics after the last known fault"]).toEqual({
      windows: 1,
      alarms: 0,
      alarms_per_day: 0,
    });
    expect(done.at(-1)).toBe(1);
    expect(result.outcomes.map(({ right }) => right)).toEqual([true, false, true]);
  });

  test("a fault is three minutes from its injection; only there the agents are told of one", async () => {
    const asked: Asked[] = [];
    await nezha(labOf(asked))({ dir: await folder(), signal });
    const [first] = asked;
    expect(first && formatWindow(first.window)).toContain("08:43");
    expect(first).toMatchObject({ alerted: true, baselines: 1, sources: ["splunk", "metrics"] });
    expect((first?.window.endMs ?? 0) - (first?.window.startMs ?? 0)).toBe(180_000);
    expect(asked.filter(({ alerted }) => alerted)).toHaveLength(6);
  });
});

describe("any subset of the data will do", () => {
  test.each<[string, string[], number]>([
    ["no fault-free minute", ["2023-01-29/fault_free_log"], 2],
    ["no metrics", ["2023-01-29/metric"], 2],
    ["the logs of one fault", ["2023-01-29/log/08"], 1],
  ])("%s", async (_what, left, cases) => {
    const asked: Asked[] = [];
    const result = await nezha(labOf(asked))({ dir: await folder(left), signal });
    expect(result.cases).toBe(cases);
    expect(result.left).toHaveLength(1);
    expect(result.left[0]).toMatch(/faults\.json: (1 fault|2 faults) without logs$/);
    const hasMetrics = asked.some(({ sources }) => sources.includes("metrics"));
    expect(hasMetrics).toBe(!left.includes("2023-01-29/metric"));
  });

  test("no logs at all is one clear error", async () => {
    const failed = await failureOf(
      nezha(labOf([]))({ dir: await folder(["2023-01-29/log"]), signal }),
    );
    expect(failed).toMatchObject({ code: "USAGE" });
    expect(String(failed)).toContain("no fault of faults.json has a log file here");
  });
});

describe("data that is not what it should be is refused with its place", () => {
  test.each<[string, string, string, RegExp]>([
    ["a folder without faults", "faults.json", "", /faults\.json/],
    ["faults that are no list", "faults.json", "{}", /expected array/],
    [
      "a fault without a pod",
      "faults.json",
      '[{"inject_time":"2023-01-29 08:43:04","inject_type":"x"}]',
      /0\.inject_pod/,
    ],
    [
      "a time that is none",
      "faults.json",
      '[{"inject_time":"today","inject_pod":"p","inject_type":"x"}]',
      /0\.inject_time/,
    ],
    [
      "a log row that is cut",
      "2023-01-29/log/08_43_log.csv",
      "Timestamp,Log\n1\n",
      /08_43_log\.csv: row 2/,
    ],
    [
      "a log row without its JSON",
      "2023-01-29/log/08_43_log.csv",
      "Timestamp,PodName,Log\n1,p,hello\n",
      /row 2: column Log/,
    ],
  ])("%s", async (_what, file, text, expected) => {
    const dir = await folder();
    await writeFile(join(dir, file), text);
    const failed = await failureOf(nezha(labOf([]))({ dir, signal }));
    expect(failed).toMatchObject({ code: "CONFIG_INVALID" });
    expect(String(failed)).toMatch(expected);
  });
});
