/** `petrel audit tally`: how many envelopes there are in JetStream, and which only one end reported. */
import { readAudit, tallyAudit } from "../../bridge/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { count, oneLine } from "../render/text.ts";
import { openAuditStream } from "./open.ts";
import { printLine } from "./words.ts";

const OPTIONS = { ...CONFIG_OPTIONS, json: { type: "boolean" } } as const;

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const access = await openAuditStream(configFrom(values));
  try {
    const { js, jsm } = access;
    const result = await tallyAudit(readAudit({ js, jsm, follow: false, signal }));
    if (values.json) {
      printLine(JSON.stringify(result));
      return 0;
    }
    const { envelopes, halfReported, malformedPacks, examples } = result;
    printLine(
      `${count(envelopes)} envelopes · ${count(halfReported)} reported by one end only · ${count(malformedPacks)} malformed packs`,
    );
    for (const example of examples) printLine(`  ${oneLine(example, 120)}`);
    return 0;
  } finally {
    await access.close();
  }
}
