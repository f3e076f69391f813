/** `petrel audit`: the trail in JetStream and in Kafka, as people and programs read it. One file per verb. */

import { verbOf } from "../audit/words.ts";
import type { CommandModule } from "../commands.ts";

const VERBS = [
  "tail",
  "tally",
  "show",
  "replay",
  "verify",
  "proof",
  "gaps",
  "export",
  "keys",
] as const;

const LOAD: Readonly<Record<(typeof VERBS)[number], () => Promise<CommandModule>>> = {
  tail: () => import("../audit/tail.ts"),
  tally: () => import("../audit/tally.ts"),
  show: () => import("../audit/show.ts"),
  replay: () => import("../audit/replay.ts"),
  verify: () => import("../audit/verify.ts"),
  proof: () => import("../audit/proof.ts"),
  gaps: () => import("../audit/gaps.ts"),
  export: () => import("../audit/export.ts"),
  keys: () => import("../audit/keys.ts"),
};

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const verb = verbOf(argv, "petrel audit", VERBS);
  const { run: runVerb } = await LOAD[verb]();
  return runVerb(argv.slice(1), signal);
}
