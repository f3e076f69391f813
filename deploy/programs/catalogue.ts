/**
 * The programs Petrel runs beside itself, and how each tells its version.
 * Pinned releases and their checksums stand in `pins.ts`. Nothing here touches the disk or the network.
 */

export const PROGRAM_NAMES = [
  "nats-server",
  "prometheus",
  "promtool",
  "alertmanager",
  "nats",
  "kafka",
  "apicurio",
] as const;

export type ProgramName = (typeof PROGRAM_NAMES)[number];

/** Programs that are fetched together share a package; it is the folder's name under the tools folder. */
export type PackageName =
  | "nats-server"
  | "prometheus"
  | "alertmanager"
  | "nats"
  | "kafka"
  | "apicurio";

/** A program that is there and new enough. */
export interface Program {
  readonly name: ProgramName;
  /** Absolute path of the executable. */
  readonly path: string;
  /** Dotted numbers, without a leading `v`. */
  readonly version: string;
  /** The way it came: `PATH`, `GitHub release`, `go build`, `Debian bookworm`, `Maven Central` … */
  readonly from: string;
}

interface ProgramSpec {
  readonly package: PackageName;
  /** The oldest version Petrel works with. */
  readonly versionMin: string;
  /** How Debian names the executable, where that differs. */
  readonly alsoNamed?: string;
  /** The oldest Java it runs on. Such a program is never looked for on the PATH. */
  readonly javaMin?: number;
}

export const CATALOGUE: Readonly<Record<ProgramName, ProgramSpec>> = {
  "nats-server": { package: "nats-server", versionMin: "2.10.0" },
  prometheus: { package: "prometheus", versionMin: "2.40.0" },
  promtool: { package: "prometheus", versionMin: "2.40.0" },
  // For the tests of alarms, which use version 2 of its API.
  alertmanager: {
    package: "alertmanager",
    versionMin: "0.24.0",
    alsoNamed: "prometheus-alertmanager",
  },
  nats: { package: "nats", versionMin: "0.1.0" },
  kafka: { package: "kafka", versionMin: "4.1.1", javaMin: 17 },
  // A schema registry with the interface of Confluent's, for the tests.
  apicurio: { package: "apicurio", versionMin: "3.0.0", javaMin: 17 },
};

/** The executables of a package, in the order of {@link PROGRAM_NAMES}. */
export function programsOf(packageName: PackageName): readonly ProgramName[] {
  return PROGRAM_NAMES.filter((name) => CATALOGUE[name].package === packageName);
}

export function isProgramName(name: string): name is ProgramName {
  return (PROGRAM_NAMES as readonly string[]).includes(name);
}

/**
 * The version in what a program prints for `--version`: `nats-server: v2.15.1`, `v0.2.4`,
 * `prometheus, version 2.42.0+ds (branch: …)`. Undefined when there is none.
 */
export function parseVersion(text: string): string | undefined {
  return /(?:^|[\sv:])(\d+\.\d+\.\d+)/.exec(text)?.[1];
}

/** Negative when `a` is older than `b`, 0 when equal, positive when newer. Both are dotted numbers. */
export function compareVersions(a: string, b: string): number {
  const left = a.split(".").map(Number);
  const right = b.split(".").map(Number);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
