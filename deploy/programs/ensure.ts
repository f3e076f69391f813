/**
 * Makes sure a program is there: found, or fetched into the tools folder by the first way that works.
 * What is in the tools folder is used without the network. An installation appears whole or not at all.
 */
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, PetrelError } from "../../core/mod.ts";
import {
  CATALOGUE,
  compareVersions,
  type PackageName,
  type Program,
  type ProgramName,
  programsOf,
} from "./catalogue.ts";
import { debianSuites, fetchFromDebian } from "./debian.ts";
import {
  lookInTools,
  lookOnPath,
  packageDir,
  RECEIPT_FILE,
  type Receipt,
  versionOf,
} from "./find.ts";
import { buildWithGo } from "./go.ts";
import { requireJava } from "./java.ts";
import { withLock } from "./lock.ts";
import { fetchJars, fetchWithMvn } from "./maven.ts";
import { PINS } from "./pins.ts";
import { fetchRelease } from "./release.ts";
import type { OnProgress, WayContext } from "./way.ts";

const LOCK_TIMEOUT_MS = 900_000;

export interface EnsureOptions {
  readonly toolsDir: string;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

interface Way {
  readonly name: string;
  fetch(context: WayContext): Promise<Receipt>;
}

/**
 * Finds `name` or fetches it. The order: the tools folder, the PATH, the pinned GitHub release, a build
 * with Go, Debian's suites; Maven Central for what runs on Java.
 * @throws PetrelError PROGRAM_MISSING naming every way tried with its reason, or the Java that is
 * needed; CANCELLED.
 */
export async function ensureProgram(name: ProgramName, options: EnsureOptions): Promise<Program> {
  const { toolsDir, onProgress = () => {} } = options;
  const signal = options.signal ?? new AbortController().signal;
  const { package: packageName, javaMin } = CATALOGUE[name];
  if (javaMin !== undefined) await requireJava(javaMin, name);
  const found = await lookInTools(name, toolsDir);
  if (found !== undefined) return found;
  const onPath = await lookOnPath(name);
  if (onPath.program !== undefined) return onPath.program;

  await mkdir(toolsDir, { recursive: true });
  return withLock(
    join(toolsDir, `.lock-${packageName}`),
    {
      timeoutMs: LOCK_TIMEOUT_MS,
      signal,
      onWait: (owner) => onProgress("step", `${packageName}: waiting for ${owner}`),
    },
    async () => {
      await removeLeftovers(toolsDir, packageName);
      const reasons = [`PATH: ${onPath.reason}`];
      const meanwhile = await lookInTools(name, toolsDir);
      if (meanwhile !== undefined) return meanwhile;
      for (const way of await waysFor(packageName, reasons)) {
        onProgress("step", `${packageName}: ${way.name}`);
        try {
          await install(packageName, way, { toolsDir, onProgress, signal });
          await speedUp(packageName, { toolsDir, onProgress, signal });
          const program = await lookInTools(name, toolsDir);
          if (program !== undefined) return program;
          throw new PetrelError("INTERNAL", `${way.name} installed no usable ${name}`);
        } catch (error) {
          if (signal.aborted) throw new PetrelError("CANCELLED", `fetching ${name}: cancelled`);
          reasons.push(`${way.name}: ${messageOf(error, 240)}`);
          onProgress("step", `${packageName}: ${way.name} failed: ${messageOf(error, 160)}`);
        }
      }
      throw missing(name, reasons);
    },
  );
}

/** The ways of a package on this machine, in order; a reason for each that cannot be tried at all. */
async function waysFor(packageName: PackageName, reasons: string[]): Promise<readonly Way[]> {
  const { release, module, debian, maven } = PINS[packageName];
  const ways: Way[] = [];
  if (release !== undefined) {
    const name = `GitHub release ${release.version}`;
    ways.push({ name, fetch: (context) => fetchRelease(release, context) });
  }
  if (maven !== undefined) {
    const name = `Maven Central ${maven.version}`;
    ways.push({ name, fetch: (context) => fetchJars(maven, context) });
    ways.push({ name: "mvn", fetch: (context) => fetchWithMvn(maven, context) });
  }
  if (module !== undefined) {
    const name = `go build ${module.module}@v${module.version}`;
    ways.push({ name, fetch: (context) => buildWithGo(module, context) });
  }
  if (debian !== undefined) {
    try {
      for (const suite of await debianSuites(debian)) {
        ways.push({
          name: `Debian ${suite}`,
          fetch: (context) => fetchFromDebian(debian, suite, context),
        });
      }
    } catch (error) {
      reasons.push(`Debian: ${messageOf(error)}`);
    }
  }
  return ways;
}

function missing(name: ProgramName, reasons: readonly string[]): PetrelError {
  const isOfJava = CATALOGUE[name].javaMin !== undefined;
  const tried = reasons.map((reason) => `  - ${reason}`).join("\n");
  return new PetrelError(
    "PROGRAM_MISSING",
    `${name} ${CATALOGUE[name].versionMin} or newer is missing and could not be fetched:\n${tried}\n` +
      `${isOfJava ? "M" : `Install ${name} so that it is on the PATH, or m`}ake one of these ways possible, and run again.`,
    { name },
  );
}

/** Fetches into a private folder, checks that the executables run, and moves it into place at once. */
async function install(
  packageName: PackageName,
  way: Way,
  options: Required<EnsureOptions>,
): Promise<void> {
  const { toolsDir, onProgress, signal } = options;
  const workDir = await mkdtemp(join(toolsDir, `.new-${packageName}-`));
  try {
    const outDir = join(workDir, "out");
    await mkdir(outDir);
    const context = { packageName, workDir, outDir, onProgress, signal };
    const receipt = await way.fetch(context);
    for (const name of programsOf(packageName)) {
      await chmod(join(outDir, name), 0o755);
      const version = await versionOf(join(outDir, name));
      if (version === undefined) throw new PetrelError("UNAVAILABLE", `${name} does not run here`);
      if (compareVersions(version, CATALOGUE[name].versionMin) < 0) {
        throw new PetrelError("UNAVAILABLE", `${name} is ${version}, too old`);
      }
    }
    await writeFile(join(outDir, RECEIPT_FILE), `${JSON.stringify(receipt)}\n`);
    const target = packageDir(toolsDir, packageName);
    await rm(target, { recursive: true, force: true });
    await rename(outDir, target);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

/** What makes an installed package start sooner; it is used as it is where that fails. */
async function speedUp(packageName: PackageName, options: Required<EnsureOptions>): Promise<void> {
  const { toolsDir, onProgress, signal } = options;
  const prepare = PINS[packageName].maven?.speedUp;
  if (prepare === undefined) return;
  onProgress("step", `${packageName}: recording its classes, for a quicker start`);
  try {
    await prepare(packageDir(toolsDir, packageName), signal);
  } catch (error) {
    if (signal.aborted) throw error;
    onProgress("step", `${packageName}: it will start slower: ${messageOf(error, 160)}`);
  }
}

/** What a process that was killed while it fetched left behind. Called with the lock held. */
async function removeLeftovers(toolsDir: string, packageName: PackageName): Promise<void> {
  for (const entry of await readdir(toolsDir)) {
    if (!entry.startsWith(`.new-${packageName}-`)) continue;
    await rm(join(toolsDir, entry), { recursive: true, force: true });
  }
}
