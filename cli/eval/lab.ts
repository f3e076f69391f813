/** The agents over a recording, for the evaluation: the same team, mesh and clients as in production. */

import { type Config, PetrelError, unlessAborted } from "../../core/mod.ts";
import type { OnProgress } from "../../deploy/mod.ts";
import type { IncidentLab, Investigator, Lab, LabSource } from "../../eval/mod.ts";
import { commandLogger } from "../output.ts";
import { startTeam } from "../team.ts";
import { startWorld, toolsDir } from "../world.ts";
import { makeIncidentLab } from "./incidents.ts";

/** A lab that fetches what it needs (nats-server, Prometheus), saying so through `onProgress`. */
export function makeLab(onProgress: OnProgress): Lab & IncidentLab {
  return {
    ...makeIncidentLab({ toolsDir: toolsDir(), onProgress }),
    open: async (recording, sources, signal): Promise<Investigator> => {
      await using stack = new AsyncDisposableStack();
      const world = await startWorld({
        recordings: [recording],
        toolsDir: toolsDir(),
        onProgress,
        signal,
      });
      stack.defer(() => world.stop());
      const config = configOf(world.config, sources);
      const team = await startTeam(config, commandLogger("error"), { evidence: sources });
      stack.defer(() => team.stop());
      const owned = stack.move();
      return {
        investigate: async (window, options) => {
          const verdict = await unlessAborted(team.sre.investigate(window, options), signal);
          if (verdict) return verdict;
          throw new PetrelError("INTERNAL", "a window of the evaluation was taken by nobody");
        },
        [Symbol.asyncDispose]: () => owned.disposeAsync(),
      };
    },
  };
}

/** The configuration with those systems only, and without an LLM. */
function configOf(config: Config, sources: readonly LabSource[]): Config {
  const { splunk, prometheus, ...rest } = config;
  return {
    ...rest,
    llm: { ...config.llm, enabled: false },
    ...(sources.includes("splunk") && splunk && { splunk }),
    ...(sources.includes("metrics") && prometheus && { prometheus }),
  };
}
