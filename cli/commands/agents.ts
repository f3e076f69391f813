/** `petrel agents`: who is in the mesh, from the registry. */
import { limits, silentLogger } from "../../core/mod.ts";
import { CONFIG_OPTIONS, configFrom, readArgs } from "../args.ts";
import { colour, oneLine } from "../render/text.ts";
import { openMesh } from "../wire.ts";

const OPTIONS = { ...CONFIG_OPTIONS, json: { type: "boolean" } } as const;

/** The registry's watch delivers what is there in one go; this is how long we wait for it. */
const LISTEN_MS = 300;

export async function run(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const { values } = readArgs(argv, OPTIONS);
  const mesh = await openMesh(configFrom(values), "cli", silentLogger);
  try {
    await mesh.clock.sleep(LISTEN_MS, signal);
    const agents = mesh.registry.list();
    if (values.json) {
      process.stdout.write(`${JSON.stringify({ agents })}\n`);
      return 0;
    }
    if (agents.length === 0) {
      process.stdout.write(
        `no agent is in the mesh (an agent that died is listed for ${limits.CARD_TTL_MS / 1000} s)\n`,
      );
      return 0;
    }
    for (const { agent, instance, host, pid, running, startedAt, card } of agents) {
      const skills = card.skills.map((skill) => oneLine(skill.id, 40)).join(", ");
      process.stdout.write(
        `${colour("bold", agent.padEnd(10))} ${instance}  ${oneLine(host, 40)}:${pid}  ${running} running  since ${oneLine(startedAt, 24)}  ${skills}\n`,
      );
    }
    return 0;
  } finally {
    await mesh.close();
  }
}
