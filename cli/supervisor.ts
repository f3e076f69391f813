/** Wires the supervisor agent: its own name in the mesh, the skills it may ask, the model if there is one. */

import type { Mesh } from "../a2a/mod.ts";
import { makeSupervisorAgent, meshSkills } from "../agents/supervisor/mod.ts";
import type { Config, Logger } from "../core/mod.ts";
import { redactorOf } from "./redaction.ts";
import { llmOf } from "./systems.ts";
import { openMesh } from "./wire.ts";

/** Serves the agent that answers questions, on a connection of its own. Throws as {@link openMesh}. */
export async function serveSupervisor(config: Config, log: Logger): Promise<Mesh> {
  const mesh = await openMesh(config, "supervisor", log);
  try {
    const { redact } = await redactorOf(config);
    const llm = llmOf(config);
    const agent = makeSupervisorAgent({
      skills: meshSkills(mesh),
      clock: mesh.clock,
      log: mesh.log.with({ agent: "supervisor" }),
      everyMs: config.sre.every,
      settleMs: config.sre.settle,
      redact,
      ...(llm ? { llm } : {}),
    });
    await mesh.serve(agent);
    return mesh;
  } catch (error) {
    await mesh.close();
    throw error;
  }
}
