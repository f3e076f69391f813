/** The Java that runs what comes from Maven Central: the one of JAVA_HOME, else the one on the PATH. */
import { join } from "node:path";
import { PetrelError } from "../../core/mod.ts";
import { run } from "./run.ts";

const VERSION_TIMEOUT_MS = 10_000;

/** What {@link lookForJava} saw; `reason` says why there is no usable Java. */
export interface JavaLook {
  readonly path?: string;
  readonly reason: string;
}

/**
 * The major version in what `java -version` prints: `openjdk version "17.0.15" 2025-04-15` is 17, and
 * `java version "1.8.0_401"` is 8. Undefined when there is none.
 */
export function parseJavaMajor(text: string): number | undefined {
  const found = /version "(?:1\.)?(\d+)/.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** The machine's Java, if it is at least `majorMin`. JAVA_HOME decides where it is set. */
export async function lookForJava(
  majorMin: number,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<JavaLook> {
  const home = env.JAVA_HOME;
  const path = home ? join(home, "bin/java") : Bun.which("java", { PATH: env.PATH ?? "" });
  if (path === null) return { reason: "there is no java on the PATH, and JAVA_HOME is not set" };
  const result = await run([path, "-version"], { timeoutMs: VERSION_TIMEOUT_MS });
  if (result.code !== 0) return { reason: `${path} does not run: ${result.reason}` };
  const major = parseJavaMajor(result.stderr);
  if (major === undefined) return { reason: `${path} does not tell its version` };
  if (major < majorMin) return { reason: `${path} is Java ${major}` };
  return { path, reason: "" };
}

/** @throws PetrelError PROGRAM_MISSING when the machine has no Java of at least `majorMin`. */
export async function requireJava(majorMin: number, program: string): Promise<void> {
  const { path, reason } = await lookForJava(majorMin);
  if (path !== undefined) return;
  throw new PetrelError(
    "PROGRAM_MISSING",
    `${program} needs Java ${majorMin} or newer, and ${reason}.\n` +
      `Install a JRE (Debian: openjdk-${majorMin}-jre-headless, macOS: brew install openjdk) ` +
      `or set JAVA_HOME to one, and run again.`,
    { name: "java" },
  );
}
