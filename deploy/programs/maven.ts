/**
 * Fetches a Java program as the pinned jars of Maven Central, each checked against its pinned SHA-256.
 * Directly by HTTPS first, several at a time, for which no Maven is needed. Where that cannot be (a
 * company's network, where Central is reached through a mirror or with a password), the machine's own
 * `mvn` fetches the same files, as its settings.xml says; their sums decide in both cases.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { PetrelError } from "../../core/mod.ts";
import { DEADLINES, type Deadlines, download } from "./download.ts";
import type { Receipt } from "./find.ts";
import type { JarPin, MavenPin } from "./pins.ts";
import { run } from "./run.ts";
import type { WayContext } from "./way.ts";

export const MAVEN_CENTRAL = "https://repo.maven.apache.org/maven2";

const TRANSFERS_MAX = 8;
const MVN_TIMEOUT_MS = 600_000;
const UNPACK_TIMEOUT_MS = 60_000;
/** The folder of the jars inside `outDir`. */
const LIB = "lib";

/** The parts of `group:artifact:version[:classifier:type]`; a file without the last two is a jar. */
function partsOf(coordinates: string) {
  const [group = "", artifact = "", version = "", classifier, type = "jar"] =
    coordinates.split(":");
  return { group, artifact, version, classifier, type };
}

/** Where a repository keeps a file: `org.slf4j:slf4j-api:1.7.36` is `org/slf4j/slf4j-api/1.7.36/….jar`. */
export function jarPath(coordinates: string): string {
  const { group, artifact, version, classifier, type } = partsOf(coordinates);
  const name = [artifact, version, classifier].filter((part) => part !== undefined).join("-");
  return `${group.replaceAll(".", "/")}/${artifact}/${version}/${name}.${type}`;
}

/**
 * Puts the jars into `outDir/lib`, by HTTPS from `repository`.
 * @throws PetrelError PROTOCOL_VIOLATION for a jar that is not the pinned one; why a transfer failed.
 */
export async function fetchJars(
  pin: MavenPin,
  context: WayContext,
  repository = MAVEN_CENTRAL,
  deadlines: Deadlines = DEADLINES,
): Promise<Receipt> {
  const lib = join(context.outDir, LIB);
  await mkdir(lib);
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const mbTotal = Math.ceil(pin.jars.reduce((sum, [, , size]) => sum + size, 0) / 1e6);
  let bytesDone = 0;
  const fetchOne = async ([coordinates, sha256]: JarPin) => {
    if (signal.aborted) return;
    const url = `${repository}/${jarPath(coordinates)}`;
    let bytesBefore = 0;
    const onBytes = (bytes: number) => {
      bytesDone += bytes - bytesBefore;
      bytesBefore = bytes;
      context.onProgress("update", `${Math.floor(bytesDone / 1e6)} of ${mbTotal} MB`);
    };
    const file = join(lib, basename(url));
    compareSums(url, await download(url, file, { deadlines, signal, onBytes }), sha256);
  };

  const queue = pin.jars.values();
  const worker = async () => {
    for (const jar of queue) await fetchOne(jar).catch((error: unknown) => failed.abort(error));
  };
  await Promise.all(Array.from({ length: TRANSFERS_MAX }, worker));
  if (failed.signal.aborted) throw failed.signal.reason;
  await finish(pin, context);
  return { version: pin.version, from: "Maven Central" };
}

/** Puts the jars into `outDir/lib` with the machine's Maven, which also knows its mirrors and proxies. */
export async function fetchWithMvn(
  pin: MavenPin,
  context: WayContext,
  mvn = Bun.which("mvn"),
): Promise<Receipt> {
  if (mvn === null) throw new PetrelError("UNAVAILABLE", "mvn is not on the PATH");
  const pom = join(context.workDir, "pom.xml");
  const copied = join(context.workDir, "copied");
  await writeFile(pom, pomOf(pin));
  const command = [mvn, "-B", "-q", "-f", pom, "dependency:copy-dependencies"];
  const flags = [`-DoutputDirectory=${copied}`, "-Dmdep.useRepositoryLayout=true"];
  context.onProgress("update", "mvn dependency:copy-dependencies");
  const result = await run([...command, ...flags], {
    timeoutMs: MVN_TIMEOUT_MS,
    cwd: context.workDir,
    signal: context.signal,
  });
  if (result.code !== 0) {
    throw new PetrelError("UNAVAILABLE", firstError(result.stdout) ?? result.reason);
  }
  const lib = join(context.outDir, LIB);
  await mkdir(lib, { recursive: true });
  for (const [coordinates, sha256] of pin.jars) {
    const file = join(copied, jarPath(coordinates));
    const actual = createHash("sha256")
      .update(await readFile(file))
      .digest("hex");
    compareSums(coordinates, actual, sha256);
    await rename(file, join(lib, basename(file)));
  }
  await finish(pin, context);
  return { version: pin.version, from: "Maven" };
}

/** Unpacks what came as an archive, and puts the launcher and what it needs beside it all. */
async function finish(pin: MavenPin, context: WayContext): Promise<void> {
  const lib = join(context.outDir, LIB);
  for (const name of await readdir(lib)) {
    if (!name.endsWith(".tar.gz")) continue;
    const unpack = ["tar", "-xzf", join(lib, name), "-C", lib];
    const result = await run(unpack, { timeoutMs: UNPACK_TIMEOUT_MS, signal: context.signal });
    if (result.code !== 0) throw new PetrelError("UNAVAILABLE", `tar: ${result.reason}`);
    await rm(join(lib, name));
  }
  for (const [name, text] of Object.entries(pin.files)) {
    await writeFile(join(context.outDir, name), text);
  }
}

/** The first thing Maven says is wrong; what follows are its consequences and advice. */
function firstError(output: string): string | undefined {
  const lines = output.split("\n").filter((line) => line.startsWith("[ERROR]"));
  const texts = lines.map((line) => line.replace(/^(\[ERROR\]\s*)+/, "").slice(0, 200));
  return texts.find((text) => text !== "");
}

/** A project that depends on the pinned jars and on nothing they would bring along. */
function pomOf(pin: MavenPin): string {
  const nothingElse =
    "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>";
  const dependencies = pin.jars.map(([coordinates]) => {
    const { group, artifact, version, classifier, type } = partsOf(coordinates);
    const kind = classifier === undefined ? "" : `<classifier>${classifier}</classifier>`;
    return (
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId>` +
      `<version>${version}</version>${kind}<type>${type}</type>${nothingElse}</dependency>`
    );
  });
  return (
    `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>` +
    `<groupId>petrel</groupId><artifactId>jars</artifactId><version>1</version>` +
    `<dependencies>${dependencies.join("")}</dependencies></project>\n`
  );
}

function compareSums(what: string, actual: string, pinned: string): void {
  if (actual === pinned) return;
  throw new PetrelError(
    "PROTOCOL_VIOLATION",
    `the SHA-256 of ${what} is ${actual}, not the pinned ${pinned}; it was not used`,
  );
}
