import { expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../deploy/mod.ts";

const SCRIPT = join(import.meta.dir, "../../deploy/run-tests.ts");

/** Runs the script on one test file; gives its status and the lines it wrote to standard output. */
async function runOn(text: string): Promise<{ code: number; lines: string[] }> {
  const dir = await mkdtemp(join(tmpdir(), "petrel-run-tests-"));
  try {
    await writeFile(join(dir, "a.test.ts"), `import { expect, test } from "bun:test";\n${text}`);
    const result = await run([process.execPath, SCRIPT], { cwd: dir, timeoutMs: 30_000 });
    return { code: result.code, lines: result.stdout.trimEnd().split("\n") };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

test("passed and skipped tests are counted, and the skipped ones are named", async () => {
  const { code, lines } = await runOn(`test("one", () => {}); test.skip("two", () => {});`);
  expect(lines.slice(-2)).toEqual(["skipped: a.test.ts: two", "1 passed, 0 failed, 1 skipped"]);
  expect(code).toBe(0);
});

test("a failed test fails the run", async () => {
  const { code, lines } = await runOn(`test("one", () => { expect(1).toBe(2); });`);
  expect(lines.at(-1)).toBe("0 passed, 1 failed, 0 skipped");
  expect(code).not.toBe(0);
});

test("no test at all, a file that does not load, and a crash each fail the run", async () => {
  for (const text of ["", "throw new Error();", 'process.kill(process.pid, "SIGKILL");']) {
    const { code, lines } = await runOn(text);
    expect(lines.at(-1)).toBe("0 passed, 1 failed, 0 skipped");
    expect(code).not.toBe(0);
  }
});

test("a crash after a passed test is not forgotten", async () => {
  const { code, lines } = await runOn(
    `test("one", () => {}); test("two", () => { process.kill(process.pid, "SIGKILL"); });`,
  );
  expect(lines.at(-1)).toMatch(/^\d passed, 1 failed, 0 skipped$/);
  expect(code).not.toBe(0);
});
