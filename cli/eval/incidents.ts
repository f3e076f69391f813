/**
 * The whole system for the evaluation of incidents: a team as in production over recordings, the stand-in
 * for a language model, and a file of JSON lines as the one sink, which is read back as a receiver would.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Notice } from "../../alarms/mod.ts";
import { PetrelError, unlessAborted, windowId } from "../../core/mod.ts";
import type { OnProgress } from "../../deploy/mod.ts";
import type { IncidentLab, IncidentWatch } from "../../eval/mod.ts";
import { makeLlm } from "../../mcp/mod.ts";
import { startLlmSim } from "../../sim/mod.ts";
import { commandLogger } from "../output.ts";
import { startTeam } from "../team.ts";
import { startWorld } from "../world.ts";

const LLM_KEY = "stand-in";
const LINES_FILE = "alarms.jsonl";

export interface IncidentLabOptions {
  readonly toolsDir: string;
  readonly onProgress: OnProgress;
}

export function makeIncidentLab({ toolsDir, onProgress }: IncidentLabOptions): IncidentLab {
  return {
    watch: async (recordings, signal): Promise<IncidentWatch> => {
      await using stack = new AsyncDisposableStack();
      const world = await startWorld({ recordings, toolsDir, onProgress, signal });
      stack.defer(() => world.stop());
      const model = stack.use(startLlmSim({ apiKey: LLM_KEY }));
      const llm = makeLlm({
        openaiApiKey: LLM_KEY,
        openaiBaseUrl: `${model.url}/v1`,
        openaiModel: "stand-in",
      });
      const file = join(world.dir, LINES_FILE);
      const config = {
        ...world.config,
        llm: { ...world.config.llm, enabled: true },
        alarms: { ...world.config.alarms, jsonl: file },
      };
      const evidence = ["splunk", "metrics"] as const;
      const team = await startTeam(config, commandLogger("error"), { evidence, llm });
      stack.defer(() => team.stop());
      const owned = stack.move();
      const received = { notices: 0, calls: 0 };
      return {
        look: async (window, baseline) => {
          const options = { id: windowId(window), ...(baseline && { baseline }) };
          const verdict = await unlessAborted(team.sre.investigate(window, options), signal);
          if (!verdict) throw new PetrelError("INTERNAL", `${options.id} was taken by nobody`);
          const notices = (await noticesIn(file)).slice(received.notices);
          const llmCalls = model.calls - received.calls;
          received.notices += notices.length;
          received.calls = model.calls;
          return { verdict, notices, llmCalls };
        },
        [Symbol.asyncDispose]: () => owned.disposeAsync(),
      };
    },
  };
}

/** What the sink has so far; the file is made with its first line. */
async function noticesIn(file: string): Promise<Notice[]> {
  const text = await readFile(file, "utf8").catch(() => "");
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => Notice.parse(JSON.parse(line)));
}
