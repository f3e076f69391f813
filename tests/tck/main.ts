#!/usr/bin/env bun
/**
 * The A2A conformance kit against our gateway: `make tck TCK=DIR`, or `bun tests/tck/main.ts DIR` with the
 * options of {@link HELP}. It needs Python 3.11; docs/conformance.md tells which failures are known, and
 * why.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { asPetrelError, PetrelError } from "../../core/mod.ts";
import {
  LEVELS,
  type Level,
  prepareKit,
  runKit,
  type TckCase,
  TRANSPORTS,
  type Transport,
} from "./kit.ts";
import { startTckStand } from "./stand.ts";

const HELP = `usage: bun tests/tck/main.ts DIR [--transport LIST] [--level LIST] [--plain] [--skips] [-- PYTEST ARGUMENTS]

  DIR               a checkout of a2aproject/a2a-tck
  --transport LIST  of ${TRANSPORTS.join(", ")}; default all
  --level LIST      of ${LEVELS.join(", ")}; default all
  --plain           message ids as the kit makes them, one for all tasks of a kind
  --skips           names what the kit passed over, too
Ends with status 0 when every failure is listed in docs/conformance.md, else with 1.
`;

const KNOWN = join(import.meta.dir, "../../docs/conformance.md");

const OPTIONS = {
  transport: { type: "string" },
  level: { type: "string" },
  plain: { type: "boolean", default: false },
  skips: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

interface Asked {
  readonly kit: string;
  readonly transports: readonly Transport[];
  readonly levels: readonly Level[];
  readonly plain: boolean;
  readonly skips: boolean;
  readonly args: readonly string[];
}

/** Throws USAGE naming the option that is wrong. */
export function readOptions(argv: readonly string[]): Asked | "help" {
  const at = argv.indexOf("--");
  const own = at < 0 ? argv : argv.slice(0, at);
  const { values, positionals } = parse(own);
  if (values.help) return "help";
  const [kit, ...more] = positionals;
  if (kit === undefined || more.length > 0) throw new PetrelError("USAGE", HELP);
  return {
    kit,
    transports: chosen(values.transport, TRANSPORTS, "--transport"),
    levels: chosen(values.level, LEVELS, "--level"),
    plain: values.plain,
    skips: values.skips,
    args: at < 0 ? [] : argv.slice(at + 1),
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw asPetrelError(error, "USAGE", "tck");
  }
}

function chosen<T extends string>(
  text: string | undefined,
  all: readonly T[],
  option: string,
): readonly T[] {
  if (text === undefined) return all;
  return text.split(",").map((name) => {
    const found = all.find((one) => one === name);
    if (found) return found;
    throw new PetrelError("USAGE", `${option} "${name}" is none of ${all.join(", ")}`);
  });
}

/** Runs what was asked; true when nothing failed that is not listed. */
async function conform({ kit, transports, levels, plain, skips, args }: Asked): Promise<boolean> {
  await prepareKit(kit);
  const known = await Bun.file(KNOWN)
    .text()
    .catch(() => "");
  await using stand = await startTckStand();
  let unlisted = 0;
  for (const transport of transports) {
    for (const level of levels) {
      const cases = await runKit(kit, { url: stand.url, transport, level, plain, args });
      const failed = cases.filter(({ outcome }) => outcome === "failed" || outcome === "expected");
      tell(transport, level, cases);
      for (const one of failed) {
        const isListed = isKnown(known, one, transport);
        if (!isListed) unlisted++;
        console.log(`  ${isListed ? "listed" : "FAILED"} ${one.name}\n    ${one.message}`);
      }
      const skipped = cases.filter(({ outcome }) => outcome === "skipped");
      if (skips) skipped.filter((one) => concerns(one, transport)).forEach(tellSkip);
    }
  }
  console.log(
    unlisted === 0 ? "tck: nothing unlisted failed" : `tck: ${unlisted} unlisted failures`,
  );
  return unlisted === 0;
}

function tell(transport: Transport, level: Level, cases: readonly TckCase[]): void {
  const count = (outcome: TckCase["outcome"]) =>
    cases.filter((one) => one.outcome === outcome && concerns(one, transport)).length;
  const failed = count("failed") + count("expected");
  console.log(
    `${transport} ${level}: ${count("passed")} passed, ${failed} failed, ${count("skipped")} skipped`,
  );
}

function tellSkip({ name, message }: TckCase): void {
  console.log(`  skipped ${name}\n    ${message}`);
}

/** The kit counts what it did not ask of another transport as skipped. */
function concerns({ name, outcome, message }: TckCase, transport: Transport): boolean {
  if (outcome !== "skipped") return true;
  const others = ["grpc", ...TRANSPORTS].filter((one) => one !== transport);
  return !message.includes("not configured") && !others.some((one) => name.includes(`${one}]`));
}

/** Listed as `name` in a line that names the transport, or every one. */
function isKnown(known: string, { name }: TckCase, transport: Transport): boolean {
  const line = known.split("\n").find((one) => one.includes(`\`${name}\``));
  return line !== undefined && (line.includes(transport) || line.includes("both"));
}

if (import.meta.main) {
  try {
    const asked = readOptions(process.argv.slice(2));
    if (asked === "help") {
      console.log(HELP);
    } else {
      // What the agent still does for a client that left is of no use to anybody.
      process.exit((await conform(asked)) ? 0 : 1);
    }
  } catch (error) {
    const ours = asPetrelError(error, "INTERNAL", "tck");
    console.error(`error ${ours.code}: ${ours.message}`);
    process.exitCode = ours.exitCode;
  }
}
