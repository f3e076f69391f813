/** `petrel eval` as a user runs it: its words, its refusals, and one suite through the agents. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { makeNezha } from "../eval/nezha-folder.ts";
import { programForTests } from "../support/runtime.ts";
import { petrel } from "./command.ts";

let data = "";
let empty = "";
let sets = "";

beforeAll(async () => {
  data = await makeNezha();
  empty = await mkdtemp(join(tmpdir(), "petrel-eval-"));
  sets = await mkdtemp(join(tmpdir(), "petrel-eval-"));
  await mkdir(join(sets, "Alpha"));
  const alpha = join(sets, "Alpha", "Alpha_2k.log_structured.csv");
  await writeFile(alpha, "Content,EventId\none line,E1\none line,E1\n\n\n");
  await mkdir(join(sets, "Beta", "Beta_2k.log_structured.csv"), { recursive: true });
});

afterAll(() =>
  Promise.all([data, empty, sets].map((dir) => rm(dir, { recursive: true, force: true }))),
);

const evaluate = (words: readonly string[]) => petrel(["eval", ...words]);

test.each<[string, () => string[], RegExp]>([
  [
    "no suite",
    () => ["--data", empty],
    /say which suite: nezha, petshop, nab, loghub, incidents, all/,
  ],
  ["an unknown suite", () => ["mnist", "--data", empty], /cannot evaluate "mnist"/],
  ["no data", () => ["nezha"], /--data DIR is needed/],
  ["two suites", () => ["nab", "nezha", "--data", empty], /unexpected word "nezha"/],
  ["an empty folder", () => ["all", "--data", empty], /the data of no suite is there/],
  ["data of another suite", () => ["nezha", "--data", empty], /no faults\.json there/],
  ["scores of a suite without", () => ["nezha", "--data", empty, "--scores", "x"], /only nab/],
  ["an unknown option", () => ["nezha", "--data", empty, "--fast"], /--fast/],
])("%s is refused in a line", async (_what, words, expected) => {
  const { code, out, err } = await evaluate(words());
  expect(err).toMatch(expected);
  expect([code, out]).toEqual([2, ""]);
});

const Report = z.strictObject({
  suite: z.string(),
  cases: z.number(),
  metrics: z.record(z.string(), z.number()),
  byGroup: z.record(z.string(), z.record(z.string(), z.number())),
  seconds: z.number(),
});

describe("parts that were left out", () => {
  const table = (name: string) => join(sets, name, `${name}_2k.log_structured.csv`);

  test("are said on standard error, and in JSON mode not on standard output", async () => {
    const { code, out, err } = await evaluate(["loghub", "--data", sets, "--json"]);
    expect([code, err]).toEqual([0, `left out: ${table("Beta")}: is no file\n`]);
    expect(Report.parse(JSON.parse(out))).toMatchObject({ suite: "loghub", cases: 1 });
  });

  test("are on the page after the cases", async () => {
    const { code, out, err } = await evaluate(["all", "--data", sets]);
    expect([code, err]).toEqual([0, `left out: ${table("Beta")}: is no file\n`]);
    expect(out).toMatch(/✓ Alpha [^\n]*\n {2}left out: [^\n]*is no file\n/);
  });

  test("are one error when nothing else is there", async () => {
    const failed = await evaluate(["loghub", "--data", join(sets, "Beta"), "--json"]);
    expect([failed.code, failed.out]).toEqual([2, ""]);
    expect(failed.err).toContain(`${table("Beta")}: is no file`);
  });
});

describe("nezha, through the agents", () => {
  test("its JSON is one object with figures", async () => {
    await Promise.all([programForTests("nats-server"), programForTests("prometheus")]);
    const { code, out, err } = await evaluate(["nezha", "--data", data, "--json"]);
    expect(code).toBe(0);
    expect(err).toMatch(/^left out: .*faults\.json: 1 fault without logs\n$/);
    const report = Report.parse(JSON.parse(out));
    expect(report).toMatchObject({ suite: "nezha", cases: 2 });
    expect(Object.keys(report.metrics)).toEqual(
      expect.arrayContaining(["AS@1", "AS@3", "alarmed", "fault_free_alarms"]),
    );
    expect(Object.keys(report.byGroup)).toEqual(
      expect.arrayContaining(["return", "cpu_contention", "logs alone", "metrics alone"]),
    );
  }, 60_000);
});
