/** `petrel audit`: the trail in JetStream and in Kafka, as people and programs read it. One file per verb. */

import { verbOf } from "../audit/words.ts";
import type { CommandModule } from "../commands.ts";

const VERBS = {
  tail: () => import("../audit/tail.ts"),
  tally: () => import("../audit/tally.ts"),
  show: () => import("../audit/show.ts"),
  replay: () => import("../audit/replay.ts"),
  verify: () => import("../audit/verify.ts"),
  proof: () => import("../audit/proof.ts"),
  gaps: () => import("../audit/gaps.ts"),
  export: () => import("../audit/export.ts"),
  keys: () => import("../audit/keys.ts"),
} as const satisfies Record<string, () => Promise<CommandModule>>;

const NAMES = Object.keys(VERBS) as (keyof typeof VERBS)[];

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { run: runVerb } = await VERBS[verbOf(argv, "petrel audit", NAMES)]();
  return runVerb(argv.slice(1), signal);
}
