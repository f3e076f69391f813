/** `petrel eval`: the public benchmarks, through the code that runs in production. */

import { PetrelError } from "../../core/mod.ts";
import { evaluate, SUITE_NAMES, type SuiteName, suitesIn } from "../../eval/mod.ts";
import { readArgs } from "../args.ts";
import { makeLab } from "../eval/lab.ts";
import { EvalView } from "../render/eval.ts";

const OPTIONS = {
  data: { type: "string" },
  json: { type: "boolean" },
  scores: { type: "string" },
} as const;

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values, positionals } = readArgs(argv, OPTIONS, 1);
  const { data: dir, scores } = values;
  if (dir === undefined)
    throw new PetrelError("USAGE", "--data DIR is needed: where the data lies");
  const suites = suitesOf(positionals, dir);
  if (scores !== undefined && !suites.includes("nab"))
    throw new PetrelError("USAGE", "--scores: only nab has scores");
  const view = new EvalView(values.json ?? false);
  const lab = makeLab((_kind, text) => void process.stderr.write(`${text}\n`));
  for (const suite of suites) {
    const evaluated = await evaluate(suite, lab, {
      dir,
      signal,
      onProgress: (done, total, what) => view.progress(suite, done, total, what),
      ...(scores !== undefined && suite === "nab" && { scoresDir: scores }),
    });
    view.show(evaluated);
  }
  return 0;
}

function suitesOf(words: readonly string[], dir: string): SuiteName[] {
  const [word] = words;
  if (word === "all") {
    const found = suitesIn(dir);
    if (found.length > 0) return found;
    throw new PetrelError("USAGE", `--data ${dir}: the data of no suite is there`);
  }
  const known = SUITE_NAMES.find((name) => name === word);
  if (known !== undefined) return [known];
  const asked = word === undefined ? "say which suite" : `cannot evaluate "${word}"`;
  throw new PetrelError("USAGE", `${asked}: ${SUITE_NAMES.join(", ")}, all`);
}
