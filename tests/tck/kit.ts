/**
 * Runs the A2A conformance kit (a2aproject/a2a-tck) from a checkout of it, in a Python environment of its
 * own, and reads its JUnit report. Nothing of the kit is part of this repository.
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { PetrelError } from "../../core/mod.ts";
import { run } from "../../deploy/mod.ts";
import { TOOLS_DIR } from "../support/runtime.ts";

export const TRANSPORTS = ["jsonrpc", "http_json"] as const;
export type Transport = (typeof TRANSPORTS)[number];
export const LEVELS = ["must", "should", "may"] as const;
export type Level = (typeof LEVELS)[number];

export interface TckCase {
  /** As the kit names it, such as `test_must_requirement[CORE-SEND-001-jsonrpc]`. */
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped" | "expected";
  /** The kit's own words. */
  readonly message: string;
}

const INSTALL_TIMEOUT_MS = 600_000;
const RUN_TIMEOUT_MS = 900_000;
const VENV = join(TOOLS_DIR, "tck", "venv");
const PYTHON = join(VENV, "bin", "python");

/** Reads the kit's own list of what it needs. */
const LIST_REQUIREMENTS = `import tomllib
print("\\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]))`;

/**
 * Makes the environment, once. Throws USAGE for a folder that is no kit, and PROGRAM_MISSING when Python
 * 3.11 or a package is not to be had.
 */
export async function prepareKit(kit: string): Promise<void> {
  if (!existsSync(join(kit, "run_tck.py"))) {
    throw new PetrelError("USAGE", `${kit}: no checkout of a2aproject/a2a-tck (no run_tck.py)`);
  }
  if (!existsSync(PYTHON)) {
    await mkdir(join(TOOLS_DIR, "tck"), { recursive: true });
    await inKit(kit, ["python3", "-m", "venv", VENV]);
  }
  const needed = (await inKit(kit, [PYTHON, "-c", LIST_REQUIREMENTS])).split("\n").filter(Boolean);
  await inKit(kit, [PYTHON, "-m", "pip", "install", "-q", ...needed]);
}

/**
 * One run of the kit against an agent: one transport, one level. Throws INCOMPLETE when the kit itself
 * broke down, and nothing can be said.
 */
export async function runKit(
  kit: string,
  options: {
    url: string;
    transport: Transport;
    level: Level;
    /** Message ids as the kit makes them; else each message has its own (fresh_ids.py says why). */
    plain: boolean;
    args: readonly string[];
  },
): Promise<TckCase[]> {
  const report = join(kit, "reports", "junitreport.xml");
  await rm(report, { force: true });
  const { url, transport, level, plain, args } = options;
  const flags = ["--sut-host", url, "--transport", transport, "--level", level];
  const pytest = [...(plain ? [] : ["-p", "fresh_ids"]), ...args];
  const more = pytest.length === 0 ? [] : ["--", ...pytest];
  const result = await run([PYTHON, "run_tck.py", ...flags, ...more], {
    cwd: kit,
    timeoutMs: RUN_TIMEOUT_MS,
    env: { ...process.env, PYTHONPATH: import.meta.dir, PYTHONDONTWRITEBYTECODE: "1" },
  });
  const xml = await readFile(report, "utf8").catch(() => "");
  const cases = readReport(xml);
  if (cases.length > 0) return cases;
  // pytest ends with 5 when there was nothing to run.
  if (result.code === 5) return [];
  throw new PetrelError("INCOMPLETE", `the kit wrote no report: ${result.reason}`);
}

/** Test cases of a JUnit report as pytest writes it. Knows no more of XML than that. */
export function readReport(xml: string): TckCase[] {
  const found = xml.matchAll(/<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g);
  return Array.from(found, ([, attributes = "", body = ""]) => {
    const [, kind, details = ""] = /<(failure|error|skipped)\b([^>]*)/.exec(body) ?? [];
    return {
      name: attribute(attributes, "name"),
      outcome: outcomeOf(kind, details),
      message: attribute(details, "message"),
    };
  });
}

function outcomeOf(kind: string | undefined, details: string): TckCase["outcome"] {
  if (kind === undefined) return "passed";
  if (kind !== "skipped") return "failed";
  return details.includes('type="pytest.xfail"') ? "expected" : "skipped";
}

function attribute(attributes: string, name: string): string {
  const raw = new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  return raw
    .replace(/&#(\d+);/g, (_match, code: string) => String.fromCodePoint(Number(code)))
    .replace(/&(lt|gt|quot|apos|amp);/g, (_match, entity: string) => ENTITIES[entity] ?? "");
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  amp: "&",
};

async function inKit(kit: string, command: readonly string[]): Promise<string> {
  const { code, stdout, reason } = await run(command, { cwd: kit, timeoutMs: INSTALL_TIMEOUT_MS });
  if (code === 0) return stdout;
  const message = `the kit needs Python 3.11 and its packages: ${reason}`;
  throw new PetrelError("PROGRAM_MISSING", message);
}
