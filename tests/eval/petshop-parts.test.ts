/** PetShop's data in part: what is left out, what is said of it, and what is evaluated all the same. */
import { afterEach, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { petshop } from "../../eval/petshop/suite.ts";
import { suitesIn } from "../../eval/run.ts";
import { failureOf } from "../support/failure.ts";
import {
  FAULT_S,
  metricsCsv,
  normalAt,
  put,
  slowTable,
  targetJson,
  writeDataset,
} from "./petshop-fixtures.ts";

const signal = new AbortController().signal;

const made: string[] = [];
afterEach(() => {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true });
});

/** The data set, and its only level. */
function dataset() {
  const dir = writeDataset();
  made.push(dir);
  return { dir, level: join(dir, "dataset", "low_traffic") };
}

/** An issue with a past of its own: thirty samples of normal data before the fault. */
function putLongIssue(folder: string): void {
  const before = 30;
  const startS = FAULT_S - 10 - before * 300;
  const sampleOf: typeof normalAt = (node, at) =>
    at < before ? normalAt(node, at) : slowTable(node, at);
  put(folder, "metrics.csv", metricsCsv(startS, before + 3, sampleOf));
  put(folder, "target.json", targetJson("latency", FAULT_S, "Table"));
}

const remove = (...parts: string[]) => rmSync(join(...parts), { recursive: true });

describe("a level", () => {
  test("without a graph, or with one that cannot be read, is left out, and the other is evaluated", async () => {
    const { dir, level } = dataset();
    const high = join(dir, "dataset", "high_traffic");
    cpSync(level, high, { recursive: true });
    remove(high, "graph.csv");
    const absent = await petshop({ dir, signal });
    expect(absent.cases).toBe(2);
    expect(Object.keys(absent.byGroup)).not.toContain("high_traffic");
    expect(absent.left).toEqual([`${high}/graph.csv: missing; it says who calls whom`]);
    mkdirSync(join(high, "graph.csv"));
    expect((await petshop({ dir, signal })).left).toEqual([`${high}/graph.csv: is no file`]);
    remove(high, "graph.csv");
    put(high, "graph.csv", "");
    const { left } = await petshop({ dir, signal });
    expect(left).toEqual([
      `${high}/graph.csv: row 1, column 2: the names of the nodes were expected`,
    ]);
  });

  test("that is the only one and has no graph is a USAGE error", async () => {
    const { dir, level } = dataset();
    remove(level, "graph.csv");
    const failure = await failureOf(petshop({ dir, signal }));
    expect(failure).toMatchObject({ code: "USAGE", fields: { file: join(level, "graph.csv") } });
  });

  test("without normal data takes an issue's own past, and leaves out one with too little", async () => {
    const { dir, level } = dataset();
    putLongIssue(join(level, "test", "issue_7"));
    remove(level, "noissue");
    const { cases, metrics, left } = await petshop({ dir, signal });
    expect([cases, metrics]).toEqual([1, { top1_latency: 1, top3_latency: 1 }]);
    expect(left).toHaveLength(3);
    expect(left[0]).toBe(`${level}/noissue/metrics.csv: missing; no normal data`);
    expect(left[1]).toStartWith(`${level}/train/issue_0/metrics.csv: no normal data`);
    expect(left[2]).toStartWith(`${level}/test/issue_0/metrics.csv: no normal data`);
  });

  test("with broken normal data takes an issue's own past, too", async () => {
    const { dir, level } = dataset();
    putLongIssue(join(level, "test", "issue_7"));
    put(join(level, "noissue"), "metrics.csv", metricsCsv(1_000_000, 20, normalAt).slice(0, -40));
    const { cases, left } = await petshop({ dir, signal });
    expect(cases).toBe(1);
    expect(left[0]).toStartWith(`${level}/noissue/metrics.csv: row `);
  });
});

describe("an issue", () => {
  test.each<[string, (issue: string) => void, RegExp]>([
    ["without metrics", (issue) => remove(issue, "metrics.csv"), /metrics\.csv: missing$/],
    ["without a target", (issue) => remove(issue, "target.json"), /target\.json: missing$/],
    [
      "whose metrics are a folder",
      (issue) => {
        remove(issue, "metrics.csv");
        mkdirSync(join(issue, "metrics.csv"));
      },
      /metrics\.csv: is no file$/,
    ],
    [
      "whose metrics are cut",
      (issue) => put(issue, "metrics.csv", `${metricsCsv(1_000_000, 20, normalAt)}1006000.0,1`),
      /metrics\.csv: row 25, column 3: 13 cells were expected$/,
    ],
    ["with a target that is no JSON", (issue) => put(issue, "target.json", "{"), /no JSON$/],
  ])("%s is left out, and the others are evaluated", async (_what, damage, reason) => {
    const { dir, level } = dataset();
    const issue = join(level, "test", "issue_0");
    damage(issue);
    const { cases, metrics, left } = await petshop({ dir, signal });
    expect(cases).toBe(1);
    expect(metrics).toMatchObject({ top1_latency: 1, specificity_latency: 1 });
    expect(left).toHaveLength(1);
    expect(left[0]).toStartWith(issue);
    expect(left[0]).toMatch(reason);
  });

  test("that is the only part and malformed is an error with file, row and column", async () => {
    const { dir, level } = dataset();
    for (const part of ["noissue", "train"]) remove(level, part);
    const file = join(level, "test", "issue_0", "metrics.csv");
    const csv = metricsCsv(1_000_000, 20, normalAt);
    writeFileSync(file, csv.replace(/\n1000300\.0,[\d.]+/, "\n1000300.0,much"));
    const failure = await failureOf(petshop({ dir, signal }));
    expect(failure).toMatchObject({ code: "USAGE", fields: { file, row: 6, column: 2 } });
  });

  test("may lie in the level itself, or be all there is", async () => {
    const { dir, level } = dataset();
    const alone = join(level, "issue_7");
    putLongIssue(alone);
    const beside = await petshop({ dir, signal });
    expect([beside.cases, beside.left]).toEqual([3, []]);
    for (const part of ["noissue", "train", "test"]) remove(level, part);
    for (const place of [dir, join(dir, "dataset"), level, alone]) {
      const { cases, outcomes } = await petshop({ dir: place, signal });
      expect([cases, outcomes[0]?.right]).toEqual([1, true]);
    }
    for (const place of [dir, join(dir, "dataset"), level]) {
      expect(suitesIn(place)).toEqual(["petshop"]);
    }
  });
});

describe("the folder", () => {
  test("may be a level with one split, whose graph lies in it", async () => {
    const { level } = dataset();
    remove(level, "train");
    const { cases, metrics, left } = await petshop({ dir: level, signal });
    expect([cases, left]).toEqual([1, []]);
    expect(metrics).toMatchObject({ top1_availability: 1, specificity_availability: 1 });
    expect(suitesIn(level)).toEqual(["petshop"]);
  });

  test("may have one graph for all levels", async () => {
    const { dir, level } = dataset();
    renameSync(join(level, "graph.csv"), join(dir, "dataset", "graph.csv"));
    expect((await petshop({ dir, signal })).cases).toBe(2);
  });

  test("that is a file has no data", async () => {
    const { level } = dataset();
    const failure = await failureOf(petshop({ dir: join(level, "graph.csv"), signal }));
    expect(failure).toMatchObject({ code: "USAGE" });
    expect(failure.message).toContain("no PetShop data there");
  });
});

test("a signal with any reason is CANCELLED", async () => {
  const { dir } = dataset();
  for (const reason of [undefined, new Error("enough"), "enough"]) {
    const failure = await failureOf(petshop({ dir, signal: AbortSignal.abort(reason) }));
    expect(failure).toMatchObject({ code: "CANCELLED" });
  }
});
