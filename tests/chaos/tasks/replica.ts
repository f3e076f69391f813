/**
 * A process that serves the agents of tests/a2a/tasks and may be killed at any moment:
 * `bun replica.ts URL DIR`. It says which task it runs, on standard error.
 */
import type { AgentDefinition } from "../../../a2a/mod.ts";
import { newId } from "../../../core/mod.ts";
import { openMesh } from "../../a2a/echo.ts";
import { clerk, scribe } from "../../a2a/tasks/agents.ts";

const [url = "", dir = ""] = process.argv.slice(2);
const mesh = await openMesh(url, `replica-${newId().slice(-8)}`, { outboxDir: dir });
for (const agent of [scribe, clerk]) await mesh.serve(telling(agent));
console.error("ready");

function telling(agent: AgentDefinition): AgentDefinition {
  return {
    ...agent,
    run: (turn) => {
      console.error(`runs ${turn.taskId}`);
      return agent.run(turn);
    },
  };
}
