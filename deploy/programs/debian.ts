/**
 * Fetches a package from Debian (or a system made from it) without root: apt with private state
 * folders, from the mirror this machine is configured for. apt itself checks the suite's signature
 * with the machine's own keys, and the package against the signed index.
 */
import { access, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PetrelError } from "../../core/mod.ts";
import { CATALOGUE, compareVersions, programsOf } from "./catalogue.ts";
import type { Receipt } from "./find.ts";
import type { DebianPin } from "./pins.ts";
import { takeExecutables } from "./release.ts";
import { relocate } from "./relocate.ts";
import { run } from "./run.ts";
import type { WayContext } from "./way.ts";

const QUERY_TIMEOUT_MS = 10_000;
const UPDATE_TIMEOUT_MS = 120_000;
const DOWNLOAD_TIMEOUT_MS = 120_000;

/** What this machine is, from os-release(5). */
interface System {
  /** `debian`, `ubuntu` … */
  readonly id: string;
  /** `bookworm`, `noble` … */
  readonly suite: string;
}

/** The suites a package may come from on this machine, in order; rejects where there is no apt. */
export async function debianSuites(pin: DebianPin): Promise<readonly string[]> {
  for (const tool of ["apt-get", "apt-cache", "dpkg-deb"]) {
    if (Bun.which(tool) === null) throw new PetrelError("UNAVAILABLE", `${tool} is not here`);
  }
  const system = await readSystem();
  return pin.suites.map((suite) => (suite === "own" ? system.suite : suite));
}

/** Puts the package's executables into `context.outDir`. Rejects with the reason it could not. */
export async function fetchFromDebian(
  pin: DebianPin,
  suite: string,
  context: WayContext,
): Promise<Receipt> {
  const apt = await privateApt(suite, context);
  context.onProgress("update", `reading the index of ${suite}`);
  await apt("apt-get", ["update"], UPDATE_TIMEOUT_MS);
  const version = await candidateOf(pin.packages[0], apt);
  if (version === undefined) {
    throw new PetrelError("UNAVAILABLE", `${suite} has no ${pin.packages[0]}`);
  }
  for (const name of programsOf(context.packageName)) {
    const { versionMin } = CATALOGUE[name];
    if (compareVersions(version, versionMin) < 0) {
      throw new PetrelError("UNAVAILABLE", `${suite} has ${version}, older than ${versionMin}`);
    }
  }

  const unpacked = join(context.workDir, "deb");
  for (const name of pin.packages) {
    if ((await candidateOf(name, apt)) === undefined) continue;
    context.onProgress("update", `fetching ${name} ${version}`);
    await apt("apt-get", ["download", name], DOWNLOAD_TIMEOUT_MS);
  }
  for (const file of await readdir(context.workDir)) {
    if (!file.endsWith(".deb")) continue;
    const unpack = ["dpkg-deb", "-x", join(context.workDir, file), unpacked];
    const result = await run(unpack, { timeoutMs: DOWNLOAD_TIMEOUT_MS, signal: context.signal });
    if (result.code !== 0) throw new PetrelError("UNAVAILABLE", `dpkg-deb: ${result.reason}`);
  }
  await takeExecutables([join(unpacked, "usr/bin"), join(unpacked, "usr/sbin")], context);
  for (const name of programsOf(context.packageName)) {
    if (pin.folder !== undefined) await relocate(join(context.outDir, name), pin.folder, unpacked);
  }
  return { version, from: `Debian ${suite}` };
}

type Apt = (tool: string, args: readonly string[], timeoutMs: number) => Promise<string>;

/** The upstream version a suite offers of a Debian package, or undefined when it has none. */
async function candidateOf(packageName: string, apt: Apt): Promise<string | undefined> {
  const policy = await apt("apt-cache", ["policy", packageName], QUERY_TIMEOUT_MS);
  return /Candidate: (?:\d+:)?(\d+\.\d+\.\d+)/.exec(policy)?.[1];
}

/** The error apt printed first is the cause; the last lines are its consequences. */
function aptReason(stderr: string, otherwise: string): string {
  const line = stderr.split("\n").find((text) => /^[EW]: /.test(text));
  return (line ?? otherwise).replace(/^[EW]: /, "").slice(0, 200);
}

/** An apt that knows `suite` alone and keeps its lists and caches inside the way's private folder. */
async function privateApt(suite: string, context: WayContext): Promise<Apt> {
  const system = await readSystem();
  const { uri, components } = await ownMirror(system);
  const keyring = `/usr/share/keyrings/${system.id}-archive-keyring.gpg`;
  const hasKeyring = await access(keyring).then(
    () => true,
    () => false,
  );
  const root = join(context.workDir, "apt");
  await mkdir(join(root, "lists/partial"), { recursive: true });
  await mkdir(join(root, "archives/partial"), { recursive: true });
  await writeFile(join(root, "status"), "");
  const source = [
    "Types: deb",
    `URIs: ${uri}`,
    `Suites: ${suite}`,
    `Components: ${components.join(" ")}`,
    ...(hasKeyring ? [`Signed-By: ${keyring}`] : []),
  ];
  await writeFile(join(root, "petrel.sources"), `${source.join("\n")}\n`);
  const settings = {
    "Dir::Etc::sourcelist": join(root, "petrel.sources"),
    "Dir::Etc::sourceparts": "-",
    "Dir::State::lists": join(root, "lists"),
    "Dir::State::status": join(root, "status"),
    "Dir::Cache": root,
    "APT::Sandbox::User": "",
    "APT::Update::Error-Mode": "any",
    "Acquire::Languages": "none",
    "Acquire::Retries": "1",
    "Acquire::http::Timeout": "10",
    "Acquire::https::Timeout": "10",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    "Acquire::IndexTargets::deb::CNF::DefaultEnabled": "false",
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  return async (tool, args, timeoutMs) => {
    const result = await run([tool, ...options, ...args], {
      timeoutMs,
      cwd: context.workDir,
      signal: context.signal,
    });
    if (result.code === 0) return result.stdout;
    throw new PetrelError("UNAVAILABLE", aptReason(result.stderr, result.reason));
  };
}

async function readSystem(): Promise<System> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  const field = (key: string) => new RegExp(`^${key}="?([^"\n]*)"?$`, "m").exec(text)?.[1] ?? "";
  const system = { id: field("ID"), suite: field("VERSION_CODENAME") };
  if (system.id === "" || system.suite === "") {
    throw new PetrelError("UNAVAILABLE", "/etc/os-release names no suite");
  }
  return system;
}

/** The mirror, and its components, from which this machine takes its own suite. */
async function ownMirror(system: System): Promise<{ uri: string; components: string[] }> {
  const format = "$(REPO_URI) $(RELEASE) $(COMPONENT)";
  const result = await run(
    ["apt-get", "indextargets", "--format", format, "Created-By: Packages"],
    { timeoutMs: QUERY_TIMEOUT_MS },
  );
  const own = result.stdout
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, release]) => release === system.suite);
  const uri = own[0]?.[0];
  if (uri === undefined) {
    throw new PetrelError("UNAVAILABLE", `no apt source of this machine has ${system.suite}`);
  }
  const components = own.filter((line) => line[0] === uri).map((line) => line[2] ?? "");
  return { uri, components: [...new Set(components)].filter((name) => name !== "") };
}
