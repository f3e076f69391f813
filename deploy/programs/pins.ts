/**
 * The releases Petrel fetches, pinned by checksum. Change a version and its sums together.
 * Archive sums are those of the release's own SHA256SUMS file; module sums are those of sum.golang.org;
 * jars stand in a file of their own.
 */

import { APICURIO } from "./apicurio-pin.ts";
import type { PackageName } from "./catalogue.ts";
import { KAFKA } from "./kafka-pin.ts";

export interface ReleasePin {
  readonly version: string;
  /** By `<platform>-<architecture>` in Go's words. */
  readonly archives: Readonly<Record<string, { readonly url: string; readonly sha256: string }>>;
}

export interface ModulePin {
  readonly version: string;
  readonly module: string;
  /** The main package, relative to the module. */
  readonly mainPackage: string;
  readonly sum: `h1:${string}`;
  /** The variable the linker sets to the version, where the source does not hold it. */
  readonly versionVariable?: string;
}

export interface DebianPin {
  /** The first has to be there; the others are taken where the suite has split them off. */
  readonly packages: readonly [string, ...string[]];
  /** The suites to try, in order; `own` is the one this machine runs. */
  readonly suites: readonly string[];
  /** Where the executables look for files of their own, by a name that is compiled in. */
  readonly folder?: string;
}

/** Coordinates `group:artifact:version[:classifier:type]`, the file's SHA-256 in hexadecimal, its bytes. */
export type JarPin = readonly [coordinates: string, sha256: string, bytes: number];

/** A Java program: files of Maven Central (archives are unpacked), and texts put beside them: a launcher. */
export interface MavenPin {
  readonly version: string;
  readonly jars: readonly JarPin[];
  readonly files: Readonly<Record<string, string>>;
  /** Done once where it is installed; the program works without it, only slower. */
  readonly speedUp?: (dir: string, signal: AbortSignal) => Promise<void>;
}

export interface PackagePins {
  readonly release?: ReleasePin;
  readonly module?: ModulePin;
  readonly debian?: DebianPin;
  readonly maven?: MavenPin;
}

const NATS = "https://github.com/nats-io/nats-server/releases/download/v2.15.0";
const NATS_CLI = "https://github.com/nats-io/natscli/releases/download/v0.5.0";
const PROMETHEUS = "https://github.com/prometheus/prometheus/releases/download/v3.15.0";

export const PINS: Readonly<Record<PackageName, PackagePins>> = {
  "nats-server": {
    release: {
      version: "2.15.0",
      archives: {
        "linux-amd64": {
          url: `${NATS}/nats-server-v2.15.0-linux-amd64.tar.gz`,
          sha256: "5d2c51caca950333aba84911df7d377f826f3a59ec36061c6539105084f65c92",
        },
        "linux-arm64": {
          url: `${NATS}/nats-server-v2.15.0-linux-arm64.tar.gz`,
          sha256: "cdc208f5a3f42963a52b6ab06ef65626bb870315dc936e26ba571780c6351112",
        },
        "darwin-amd64": {
          url: `${NATS}/nats-server-v2.15.0-darwin-amd64.tar.gz`,
          sha256: "5bd8b59ca5bf93fab3da2c5843cf564cd6e2e291e22ae3b861746e7ebe259b95",
        },
        "darwin-arm64": {
          url: `${NATS}/nats-server-v2.15.0-darwin-arm64.tar.gz`,
          sha256: "e1c4e22d70bd44abfa0bcb3c16f7cf0c66f648c2e728c58924e8a1ce88913cc8",
        },
      },
    },
    module: {
      version: "2.15.1",
      module: "github.com/nats-io/nats-server/v2",
      mainPackage: ".",
      sum: "h1:fK3AeYFIji1Smng60jB0hVoAPZezA/UzsaI3BqXFNEI=",
    },
    debian: { packages: ["nats-server"], suites: ["own", "sid"] },
  },
  prometheus: {
    release: {
      version: "3.15.0",
      archives: {
        "linux-amd64": {
          url: `${PROMETHEUS}/prometheus-3.15.0.linux-amd64.tar.gz`,
          sha256: "2a542df32eac02ee17b9d844fb2aa1de00dafa5476579ba8a3ba862e9d572ea0",
        },
        "linux-arm64": {
          url: `${PROMETHEUS}/prometheus-3.15.0.linux-arm64.tar.gz`,
          sha256: "f1f90ec08e849d494ca66c611470afc50192f0355f1a61c33f2cbde02d067823",
        },
      },
    },
    debian: { packages: ["prometheus", "promtool"], suites: ["own", "sid"] },
  },
  alertmanager: {
    debian: {
      packages: ["prometheus-alertmanager"],
      suites: ["own", "sid"],
      folder: "/usr/share/prometheus/alertmanager",
    },
  },
  nats: {
    release: {
      version: "0.5.0",
      archives: {
        "linux-amd64": {
          url: `${NATS_CLI}/nats-0.5.0-linux-amd64.zip`,
          sha256: "d9fc93e9e9ab0310deff7e719a8a0da6f9d66f26d473f039aaee70155507aecc",
        },
      },
    },
    module: {
      // The newest whose dependencies are all on the public proxies that withhold some modules.
      version: "0.1.6",
      module: "github.com/nats-io/natscli",
      mainPackage: "./nats",
      sum: "h1:t3MufSBTSPgXBAyuPX/CXO1Vogeu84/g/YQE5A7Huj4=",
      versionVariable: "main.version",
    },
  },
  kafka: { maven: KAFKA },
  apicurio: { maven: APICURIO },
};

/** This machine in Go's words, such as `linux-amd64`. */
export function platform(): string {
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  return `${process.platform}-${architecture}`;
}
