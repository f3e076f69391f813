/**
 * Finds a program that is already on this machine: fetched before, or on the PATH and new enough.
 * Never uses the network and never writes.
 */
import { access, constants, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  CATALOGUE,
  compareVersions,
  type PackageName,
  type Program,
  type ProgramName,
  parseVersion,
} from "./catalogue.ts";
import { lookForJava } from "./java.ts";
import { run } from "./run.ts";

/** Beside the executables of a fetched package: what was fetched, and from where. */
export const RECEIPT_FILE = "receipt.json";

export interface Receipt {
  readonly version: string;
  readonly from: string;
}

/** What {@link lookOnPath} saw; `reason` says why there is no program. */
export interface PathLook {
  readonly program?: Program;
  readonly reason: string;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

export function packageDir(toolsDir: string, packageName: PackageName): string {
  return join(toolsDir, packageName);
}

/** The program fetched into `toolsDir` before, or undefined; a damaged receipt counts as none. */
export async function lookInTools(
  name: ProgramName,
  toolsDir: string,
): Promise<Program | undefined> {
  const { package: packageName, versionMin, javaMin } = CATALOGUE[name];
  const dir = packageDir(toolsDir, packageName);
  const path = join(dir, name);
  const receipt = await readReceipt(join(dir, RECEIPT_FILE));
  if (receipt === undefined || !(await isExecutable(path))) return undefined;
  if (compareVersions(receipt.version, versionMin) < 0) return undefined;
  if (javaMin !== undefined && (await lookForJava(javaMin)).path === undefined) return undefined;
  return { name, path, ...receipt };
}

async function readReceipt(path: string): Promise<Receipt | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    if (typeof value !== "object" || value === null) return undefined;
    if (!("version" in value) || !("from" in value)) return undefined;
    const { version, from } = value;
    return typeof version === "string" && typeof from === "string" ? { version, from } : undefined;
  } catch {
    return undefined;
  }
}

/** The version an executable reports, or undefined when it does not run or prints none. */
export async function versionOf(path: string): Promise<string | undefined> {
  const result = await run([path, "--version"], { timeoutMs: 10_000 });
  return result.code === 0 ? parseVersion(`${result.stdout}\n${result.stderr}`) : undefined;
}

/** The program on the PATH, if it is at least the oldest version Petrel works with. */
export async function lookOnPath(name: ProgramName): Promise<PathLook> {
  const { versionMin, javaMin, alsoNamed = name } = CATALOGUE[name];
  if (javaMin !== undefined) return { reason: "its jars are used as they are pinned" };
  const path = Bun.which(name) ?? Bun.which(alsoNamed);
  if (path === null) return { reason: "not there" };
  const version = await versionOf(path);
  if (version === undefined) return { reason: `${path} does not tell its version` };
  if (compareVersions(version, versionMin) < 0) {
    return { reason: `${path} is ${version}, older than ${versionMin}` };
  }
  return { program: { name, path, version, from: "PATH" }, reason: "" };
}

/**
 * Finds `name` without fetching anything: first in `toolsDir`, then on the PATH.
 * Resolves to undefined when it is in neither, or too old.
 */
export async function findProgram(
  name: ProgramName,
  options: { readonly toolsDir: string },
): Promise<Program | undefined> {
  return (await lookInTools(name, options.toolsDir)) ?? (await lookOnPath(name)).program;
}
