import { afterEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { nab } from "../../eval/nab/suite.ts";
import { failureOf } from "../support/failure.ts";

const STEP_MS = 300_000;
const START_MS = Date.UTC(2026, 0, 1);
const ROWS = 2000;
const SPIKE = 1500;

const made: string[] = [];
afterEach(async () => {
  for (const dir of made.splice(0)) await rm(dir, { recursive: true, force: true });
});

function stamp(row: number): string {
  return new Date(START_MS + row * STEP_MS).toISOString().replace("T", " ").slice(0, 19);
}

/** A sawtooth, with a spike where one is asked for. */
function csvOf(spike?: number): string[] {
  const rows = Array.from({ length: ROWS }, (_, row) => {
    const value = row === spike ? 900 : 20 + (row % 17) + (row % 5);
    return `${stamp(row)},${value}`;
  });
  return ["timestamp,value", ...rows];
}

interface Folder {
  readonly files: Readonly<Record<string, readonly string[]>>;
  readonly labels: unknown;
}

const LABELS = {
  "real/spike.csv": [[`${stamp(SPIKE - 100)}.000000`, `${stamp(SPIKE + 99)}.000000`]],
  "quiet/flat.csv": [],
  "real/elsewhere.csv": [],
};

async function makeFolder({ files, labels }: Folder, inside = ""): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "petrel-nab-"));
  made.push(dir);
  const write = async (name: string, text: string) => {
    const path = join(dir, inside, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  };
  for (const [name, lines] of Object.entries(files)) {
    await write(`data/${name}`, `${lines.join("\n")}\n`);
  }
  await write("labels/combined_windows.json", JSON.stringify(labels));
  return dir;
}

const FILES = { "real/spike.csv": csvOf(SPIKE), "quiet/flat.csv": csvOf() };

function run(dir: string, scoresDir?: string, signal = new AbortController().signal) {
  return nab({ dir, signal, ...(scoresDir !== undefined && { scoresDir }) });
}

describe("the suite", () => {
  test("finds what is there, and says so per category", async () => {
    for (const inside of ["", "nab"]) {
      const dir = await makeFolder({ files: FILES, labels: LABELS }, inside);
      const { cases, metrics, byGroup, outcomes } = await run(dir);
      expect(cases).toBe(2);
      expect(metrics).toMatchObject({ windows: 1, found: 1, false_alarms: 0 });
      // The spike is in the middle of its window.
      expect(metrics["standard"]).toBeCloseTo(93, 0);
      expect(metrics["reward_low_FP_rate"]).toBe(metrics["standard"] ?? 0);
      expect(byGroup["quiet"]).toMatchObject({ windows: 0, standard: 100 });
      expect(byGroup["real"]).toMatchObject({ windows: 1, found: 1 });
      expect(outcomes.map(({ name, right }) => [name, right])).toEqual([
        ["quiet/flat.csv", true],
        ["real/spike.csv", true],
      ]);
    }
  });

  test("writes one score per row, in order, highest at the spike", async () => {
    const dir = await makeFolder({ files: FILES, labels: LABELS });
    await run(dir, join(dir, "scores"));
    const text = await Bun.file(join(dir, "scores/real/spike.csv")).text();
    const rows = text.trimEnd().split("\n");
    expect(rows[0]).toBe("timestamp,value,anomaly_score");
    expect(rows).toHaveLength(ROWS + 1);
    expect(rows.slice(1).map((row) => row.split(",")[0])).toEqual(
      Array.from({ length: ROWS }, (_, row) => stamp(row)),
    );
    const scores = rows.slice(1).map((row) => Number(row.split(",")[2]));
    expect(scores.indexOf(Math.max(...scores))).toBe(SPIKE);
  });

  test("uses the folder's own costs", async () => {
    const dir = await makeFolder({ files: FILES, labels: LABELS });
    const costs = { CostMatrix: { tpWeight: 1, fpWeight: 0.1, fnWeight: 3 } };
    await mkdir(join(dir, "config"));
    await writeFile(
      join(dir, "config/profiles.json"),
      JSON.stringify({
        standard: costs,
        reward_low_FP_rate: costs,
        reward_low_FN_rate: costs,
      }),
    );
    const { metrics } = await run(dir);
    expect(metrics["standard"]).toBeCloseTo((100 * (0.86 + 3)) / 4, 0);
  });

  test("a value that is missing is no error, and has a row of its own", async () => {
    const lines = csvOf(SPIKE);
    for (const [row, text] of ["NaN", "", "inf", "-Infinity"].entries()) {
      lines[700 + row] = `${stamp(699 + row)},${text}`;
    }
    const dir = await makeFolder({ files: { "real/spike.csv": lines }, labels: LABELS });
    const { metrics } = await run(dir, join(dir, "scores"));
    expect(metrics).toMatchObject({ found: 1 });
    const written = await Bun.file(join(dir, "scores/real/spike.csv")).text();
    expect(written.split("\n")[700]).toBe(`${stamp(699)},NaN,0`);
    expect(written.trimEnd().split("\n")).toHaveLength(ROWS + 1);
  });
});

describe("a part of the data", () => {
  test("that is broken, or has no labels, is left out and said", async () => {
    const cut = csvOf(SPIKE).slice(0, 900);
    cut.push(stamp(900));
    const files = {
      ...FILES,
      "real/cut.csv": cut,
      "real/own.csv": csvOf(),
      "real/odd.csv": csvOf(),
      "real/empty.csv": ["timestamp,value"],
    };
    const more = {
      "real/cut.csv": [],
      "real/odd.csv": 5,
      "real/empty.csv": [],
      "real/dir.csv": [],
    };
    const dir = await makeFolder({ files, labels: { ...LABELS, ...more } });
    await mkdir(join(dir, "data/real/dir.csv"));
    await writeFile(join(dir, "data/notes.txt"), "x");
    const { cases, metrics, left } = await run(dir);
    const whole = await run(await makeFolder({ files: FILES, labels: LABELS }));
    expect([cases, metrics]).toEqual([2, whole.metrics]);
    expect(whole.left).toEqual([]);
    const real = join(dir, "data/real");
    expect(left).toEqual([
      `${real}/cut.csv: row 901, column value: "" cannot be read.`,
      `${real}/dir.csv: is no file`,
      `${real}/empty.csv: row 2 is missing: the series has no value.`,
      `${join(dir, "labels/combined_windows.json")}: real/odd.csv has no list of windows.`,
      `${real}/own.csv: the labels do not name real/own.csv.`,
    ]);
  });

  test("times may have a T, and a zone", async () => {
    const whole = await run(await makeFolder({ files: FILES, labels: LABELS }));
    const forms: ((text: string) => string)[] = [
      (text) => `${text.replace(" ", "T")}Z`,
      (text) => text.replace(" ", "T"),
      (text) => `${text}Z`,
      (text) => `${text}+00:00`,
    ];
    for (const form of forms) {
      const dated = (line: string) => line.replace(/^[\d -]+[\d:]+/, form);
      const files = { ...FILES, "real/spike.csv": csvOf(SPIKE).map(dated) };
      const windows = LABELS["real/spike.csv"].map((pair) => pair.map((time) => form(time)));
      const labels = { ...LABELS, "real/spike.csv": windows };
      const { metrics, left } = await run(await makeFolder({ files, labels }));
      expect([metrics, left]).toEqual([whole.metrics, []]);
    }
  });
});

describe("scores that cannot be written", () => {
  test.each<[string, string]>([
    ["a file", "notes"],
    ["below a file", "notes/scores"],
    ["a category that is a file", "taken"],
    ["a series that is a folder", "full"],
  ])("%s is a USAGE error that names the path", async (_what, place) => {
    const dir = await makeFolder({ files: FILES, labels: LABELS });
    await writeFile(join(dir, "notes"), "x");
    await mkdir(join(dir, "taken"));
    await writeFile(join(dir, "taken/quiet"), "x");
    await mkdir(join(dir, "full/quiet/flat.csv"), { recursive: true });
    const failure = await failureOf(run(dir, join(dir, place)));
    expect(failure).toMatchObject({ code: "USAGE" });
    expect(failure.message).toContain(`--scores: ${join(dir, place)}`);
  });
});

describe("data that cannot be read", () => {
  test("is refused with file, row and column", async () => {
    const cases: [string, (lines: string[]) => void][] = [
      ["spike.csv: row 5, column value", (lines) => lines.splice(4, 1, `${stamp(3)},abc`)],
      ["spike.csv: row 5, column value", (lines) => lines.splice(4, 1, stamp(3))],
      ["spike.csv: row 3, column timestamp", (lines) => lines.splice(2, 1, "yesterday,5")],
      ["spike.csv: row 3, column timestamp", (lines) => lines.splice(2, 1, "")],
      ["spike.csv: row 1", (lines) => lines.splice(0, 1)],
    ];
    for (const [place, damage] of cases) {
      const lines = csvOf(SPIKE);
      damage(lines);
      const dir = await makeFolder({ files: { "real/spike.csv": lines }, labels: LABELS });
      const failure = await failureOf(run(dir));
      expect(failure).toMatchObject({ code: "USAGE" });
      expect(failure.message).toContain(place);
    }
  });

  test("is refused when labels are missing or malformed", async () => {
    for (const labels of [{}, { "real/spike.csv": 5 }, { "real/spike.csv": [["now", "then"]] }]) {
      const dir = await makeFolder({ files: { "real/spike.csv": csvOf() }, labels });
      expect(await failureOf(run(dir))).toMatchObject({ code: "USAGE" });
    }
    const dir = await makeFolder({ files: FILES, labels: LABELS });
    await writeFile(join(dir, "labels/combined_windows.json"), "{");
    expect((await failureOf(run(dir))).message).toContain("combined_windows.json");
  });

  test("is refused when there is none", async () => {
    expect(await failureOf(run(tmpdir()))).toMatchObject({ code: "USAGE" });
    const dir = await makeFolder({ files: { "real/notes.txt": ["x"] }, labels: LABELS });
    expect(await failureOf(run(dir))).toMatchObject({ code: "USAGE" });
    await rm(join(dir, "data"), { recursive: true });
    await writeFile(join(dir, "data"), "x");
    expect(await failureOf(run(dir))).toMatchObject({ code: "USAGE" });
  });

  test("stops when it is told to", async () => {
    const dir = await makeFolder({ files: FILES, labels: LABELS });
    for (const stopped of [AbortSignal.abort(), AbortSignal.abort(new Error("enough"))]) {
      expect(await failureOf(run(dir, undefined, stopped))).toMatchObject({ code: "CANCELLED" });
    }
  });
});
