/** The Splunk stand-in in a process of its own, with any number of rows made on the fly. */
import { z } from "zod";
import { startSplunkSim, volumeRows } from "../../sim/mod.ts";
import { answer, readTask, untilReleased } from "../worker.ts";
import { TOKEN } from "./source.ts";

export const ServerTask = z.object({ rows: z.number(), distinct: z.boolean().default(false) });
export type ServerTask = z.input<typeof ServerTask>;

export const ServerReady = z.object({ url: z.string() });
export type ServerReady = z.infer<typeof ServerReady>;

if (import.meta.main) {
  const { rows, distinct } = readTask(ServerTask);
  const sim = startSplunkSim({ rows: volumeRows({ rows, distinct }), tokens: [TOKEN] });
  answer({ url: sim.url } satisfies ServerReady);
  await untilReleased();
  await sim.stop();
}
