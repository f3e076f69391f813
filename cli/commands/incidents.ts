/** `petrel incidents`: what the SRE agent knows of, and what a person says of it. One file per verb. */
import { verbOf } from "../audit/words.ts";
import type { CommandModule } from "../commands.ts";

const VERBS = [
  "list",
  "show",
  "confirm",
  "reject",
  "silence",
  "silences",
  "unsilence",
  "dead",
  "redeliver",
  "watch",
] as const;

const LOAD: Readonly<Record<(typeof VERBS)[number], () => Promise<CommandModule>>> = {
  list: () => import("../incidents/list.ts"),
  show: () => import("../incidents/show.ts"),
  confirm: () => import("../incidents/confirm.ts"),
  reject: () => import("../incidents/reject.ts"),
  silence: () => import("../incidents/silence.ts"),
  silences: () => import("../incidents/silences.ts"),
  unsilence: () => import("../incidents/unsilence.ts"),
  dead: () => import("../incidents/dead.ts"),
  redeliver: () => import("../incidents/redeliver.ts"),
  watch: () => import("../incidents/watch.ts"),
};

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const [word] = argv;
  const isList = word === undefined || word.startsWith("-");
  const words = isList ? ["list", ...argv] : argv;
  const verb = verbOf(words, "petrel incidents", VERBS);
  const { run: runVerb } = await LOAD[verb]();
  return runVerb(words.slice(1), signal);
}
