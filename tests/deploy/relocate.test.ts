import { expect, test } from "bun:test";
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { relocate } from "../../deploy/programs/relocate.ts";
import { run } from "../../deploy/programs/run.ts";
import { failureOf } from "../support/failure.ts";

const FOLDER = "/usr/share/petrel-test/files";

async function unpacked(script: string): Promise<{ dir: string; executable: string }> {
  const dir = await mkdtemp(join(tmpdir(), "petrel-relocate-"));
  await mkdir(join(dir, "deb", FOLDER), { recursive: true });
  await writeFile(join(dir, "deb", FOLDER, "words"), "found\n");
  await mkdir(join(dir, "out"));
  const executable = join(dir, "out/reader");
  await writeFile(executable, `#!/bin/sh\n${script}\n`);
  return { dir, executable };
}

test("a program finds its folder beside itself, also after both have been moved", async () => {
  const { dir, executable } = await unpacked(`cat ${FOLDER}/words && echo "$1"`);
  await relocate(executable, FOLDER, join(dir, "deb"));
  await chmod(executable, 0o755);
  await rename(join(dir, "out"), join(dir, "moved"));
  const result = await run([join(dir, "moved/reader"), "--flag"], { timeoutMs: 10_000 });
  expect(result).toMatchObject({ code: 0, stdout: "found\n--flag\n" });
  await rm(dir, { recursive: true });
});

test("a program that names no such folder is refused", async () => {
  const { dir, executable } = await unpacked("true");
  const error = await failureOf(relocate(executable, FOLDER, join(dir, "deb")));
  expect(error.code).toBe("UNAVAILABLE");
  await rm(dir, { recursive: true });
});
