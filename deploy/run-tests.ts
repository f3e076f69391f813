/**
 * Runs `bun test` and counts what it reported: the last line is `N passed, N failed, N skipped`.
 * Skipped tests are named. Ends with a status other than 0 when a test failed, when none ran, and when
 * bun itself broke off. Arguments are handed on: `bun deploy/run-tests.ts tests/core`.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countTests } from "./junit.ts";

async function main(args: readonly string[]): Promise<number> {
  const dir = await mkdtemp(join(tmpdir(), "petrel-tests-"));
  try {
    const report = join(dir, "junit.xml");
    const child = Bun.spawn(
      [
        process.execPath,
        "test",
        "--timeout=60000",
        "--reporter=junit",
        `--reporter-outfile=${report}`,
        ...args,
      ],
      { stdin: "ignore", stdout: "inherit", stderr: "inherit" },
    );
    for (const event of ["SIGINT", "SIGTERM"] as const)
      process.once(event, () => child.kill(event));
    const code = await child.exited;
    const counts = countTests(await readFile(report, "utf8").catch(() => ""));
    const ran = counts.passed + counts.failed;
    // An error outside of a test (a file that does not load, a crash) is in no test's report.
    const isUnreported = (code !== 0 || ran === 0) && counts.failed === 0;
    if (isUnreported) {
      const why = ran === 0 ? "no test ran" : "an error outside of the tests, see above";
      console.log(
        `bun test ended with status ${code} (${child.signalCode ?? "no signal"}): ${why}`,
      );
    }
    for (const name of counts.skipped) console.log(`skipped: ${name}`);
    const failed = counts.failed + (isUnreported ? 1 : 0);
    console.log(`${counts.passed} passed, ${failed} failed, ${counts.skipped.length} skipped`);
    return failed === 0 ? 0 : 1;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

process.exitCode = await main(process.argv.slice(2));
