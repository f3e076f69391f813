/** The Splunk stand-in in a process of its own, with any number of rows made on the fly. */
import { z } from "zod";
import { startSplunkSim, volumeRows } from "../../sim/mod.ts";
import { answer, readTask, untilReleased } from "../worker.ts";
import { TOKEN } from "./source.ts";

export const ServerTask = z.object({ rows: z.number() });
export type ServerTask = z.infer<typeof ServerTask>;

export const ServerReady = z.object({ url: z.string() });
export type ServerReady = z.infer<typeof ServerReady>;

if (import.meta.main) {
  const { rows } = readTask(ServerTask);
  const sim = startSplunkSim({ rows: volumeRows({ rows }), tokens: [TOKEN] });
  answer({ url: sim.url } satisfies ServerReady);
  await untilReleased();
  await sim.stop();
}
