/** The Loghub suite on sets of our own: reading, counting, and what it says of bad data. */
import { expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { parseStructured } from "../../eval/loghub/csv.ts";
import { compareGroups } from "../../eval/loghub/grouping.ts";
import { loghub } from "../../eval/loghub/suite.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);
const signal = new AbortController().signal;

/** A folder that is gone at the end of the block. */
async function folder() {
  const path = await mkdtemp(join(tmpdir(), "petrel-loghub-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function writeSet(root: string, name: string, rows: readonly string[]): Promise<void> {
  await mkdir(join(root, name), { recursive: true });
  const text = `${["LineId,Content,EventId,EventTemplate", ...rows].join("\n")}\n`;
  await writeFile(join(root, name, `${name}_2k.log_structured.csv`), text);
}

const GOOD = [
  '1,"took 17 ms, done",E1,"took <*> ms, done"',
  '2,"took 4 ms, done",E1,"took <*> ms, done"',
  '3,"say ""hi"" now",E2,"say ""hi"" now"',
  "4,queue is full,E3,queue is full",
];

test("each set has its figures, and the metrics are their means", async () => {
  await using data = await folder();
  await writeSet(join(data.path, "loghub"), "Alpha", GOOD);
  // Two statements here, one group in truth: neither of its lines counts.
  await writeSet(join(data.path, "loghub"), "Beta", [
    "1,one thing,E1,x",
    "2,quite another matter here,E1,x",
    "3,a third,E2,y",
    "4,a third,E2,y",
  ]);
  const seen: string[] = [];
  const onProgress = (done: number, total: number, what: string) => {
    seen.push(`${done}/${total} ${what}`);
  };
  const result = await loghub({ dir: data.path, signal, onProgress });
  expect(result.cases).toBe(2);
  expect(result.byGroup["Alpha"]).toEqual({
    grouping_accuracy: 1,
    fga: 1,
    online_accuracy: 1,
    templates: 3,
    true_templates: 3,
    lines: 4,
  });
  expect(result.byGroup["Beta"]).toMatchObject({ grouping_accuracy: 0.5, fga: 0.4, templates: 3 });
  expect(result.metrics).toEqual({ grouping_accuracy: 0.75, fga: 0.7, online_accuracy: 0.75 });
  expect(result.outcomes.map(({ name, right }) => [name, right])).toEqual([
    ["Alpha", true],
    ["Beta", false],
  ]);
  expect(seen).toEqual(["1/2 Alpha", "2/2 Beta"]);
  const inside = await loghub({ dir: join(data.path, "loghub"), signal });
  expect(inside).toEqual(result);
});

test("missing and malformed data is refused with file, line and column", async () => {
  await using data = await folder();
  await expect(loghub({ dir: data.path, signal })).rejects.toMatchObject({ code: "USAGE" });
  await expect(loghub({ dir: join(data.path, "none"), signal })).rejects.toMatchObject({
    code: "USAGE",
  });
  await writeSet(data.path, "Alpha", [...GOOD, "5,too few"]);
  await expect(loghub({ dir: data.path, signal })).rejects.toMatchObject({
    code: "USAGE",
    fields: { line: 6, column: 3 },
  });
  await writeSet(data.path, "Alpha", GOOD);
  const cancelled = loghub({ dir: data.path, signal: AbortSignal.abort() });
  await expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });
});

test("a set that is broken, cut or no file is left out, and said", async () => {
  await using data = await folder();
  await writeSet(data.path, "Alpha", GOOD);
  await writeSet(data.path, "Beta", [...GOOD, "5,too few"]);
  await mkdir(join(data.path, "Gamma", "Gamma_2k.log_structured.csv"), { recursive: true });
  await mkdir(join(data.path, "Delta"));
  await mkdir(join(data.path, ".git"));
  const { cases, byGroup, left } = await loghub({ dir: data.path, signal });
  expect([cases, Object.keys(byGroup)]).toEqual([1, ["Alpha"]]);
  const table = (name: string) => join(data.path, name, `${name}_2k.log_structured.csv`);
  expect(left).toEqual([
    `${table("Delta")}: missing`,
    `${table("Beta")}: line 6, column 3: 4 columns were expected, not 2`,
    `${table("Gamma")}: is no file`,
  ]);
  const file = loghub({ dir: table("Alpha"), signal });
  await expect(file).rejects.toMatchObject({ code: "USAGE" });
});

test("a set's own folder is data too", async () => {
  await using data = await folder();
  await writeSet(data.path, "Alpha", GOOD);
  const { cases, byGroup, left } = await loghub({ dir: join(data.path, "Alpha"), signal });
  expect([cases, Object.keys(byGroup), left]).toEqual([1, ["Alpha"], []]);
});

test("the reasons have a bound, and the last one counts the others", async () => {
  await using data = await folder();
  await writeSet(data.path, "Alpha", GOOD);
  for (let at = 100; at < 160; at++) await mkdir(join(data.path, `Set${at}`));
  const { left } = await loghub({ dir: data.path, signal });
  expect(left).toHaveLength(50);
  expect(left.at(-1)).toBe("and 11 more");
});

test("a signal with any reason is CANCELLED", async () => {
  await using data = await folder();
  await writeSet(data.path, "Alpha", GOOD);
  for (const reason of [undefined, new Error("enough"), "enough"]) {
    const failed = loghub({ dir: data.path, signal: AbortSignal.abort(reason) });
    await expect(failed).rejects.toMatchObject({ code: "CANCELLED" });
  }
});

test("blank lines at the end are ignored, and nowhere else", () => {
  const text = "LineId,Content,EventId\n1,x,E1\n";
  for (const end of ["", "\n", "\n\n\n", "\r\n \r\n", "  "]) {
    expect(parseStructured("a.csv", `${text}${end}`)).toEqual([{ content: "x", event: "E1" }]);
  }
  expect(() => parseStructured("a.csv", `${text}\n\n2,y,E1\n`)).toThrow(
    expect.objectContaining({ code: "USAGE", fields: { file: "a.csv", line: 3, column: 2 } }),
  );
});

test("the place of what is wrong in a table", () => {
  const head = "LineId,Content,EventId\n";
  const cases: readonly [string, number, number][] = [
    ["", 1, 1],
    ["LineId,Content\n1,x\n", 1, 1],
    [head, 2, 1],
    [`${head}1,x\n`, 2, 3],
    [`${head}1,x,E1\n2,"a\nb",E1\n3,x,\n`, 5, 3],
    [`${head}1,"x,E1\n`, 2, 2],
    [`${head}1,"x"y,E1\n`, 2, 2],
  ];
  for (const [text, line, column] of cases) {
    expect(() => parseStructured("a.csv", text)).toThrow(
      expect.objectContaining({ code: "USAGE", fields: { file: "a.csv", line, column } }),
    );
  }
});

test("any fields are read as they were written", () => {
  const field = fc.string({ maxLength: 12 });
  const rows = fc.array(
    fc.tuple(
      field,
      field.filter((text) => text !== ""),
    ),
    { minLength: 1 },
  );
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const property = fc.property(rows, fc.constantFrom("\n", "\r\n"), (all, end) => {
    const lines = all.map(([content, event]) => `${quoted(content)},${quoted(event)}`);
    const text = ["Content,EventId", ...lines].join(end);
    const read = parseStructured("a.csv", `\uFEFF${text}${end}`);
    expect(read.map(({ content, event }) => [content, event])).toEqual(all);
  });
  fc.assert(property, { seed, numRuns: 300 });
});

test("a line counts when its group is its true group, whole and pure", () => {
  const of = (made: string, truth: string) => compareGroups(made.split(""), truth.split(""));
  expect(of("aabc", "xxyz")).toMatchObject({ accuracy: 1, fga: 1, rightGroups: 3 });
  expect(of("aabb", "xxyz")).toMatchObject({ accuracy: 0.5, fga: 0.4 });
  expect(of("abcd", "xxyy")).toMatchObject({ accuracy: 0, fga: 0 });
  expect(of("aaab", "xxyy")).toMatchObject({ accuracy: 0, rightGroups: 0 });
});
