/** The Splunk stand-in of `alarm` in a process of its own. */
import { z } from "zod";
import { startSplunkSim } from "../../sim/mod.ts";
import { answer, readTask, untilReleased } from "../worker.ts";
import { rowsOf, Scene } from "./scene.ts";

export const TOKEN = "bench-token";
export const Ready = z.object({ url: z.string() });

if (import.meta.main) {
  const sim = startSplunkSim({ rows: rowsOf(readTask(Scene)), tokens: [TOKEN] });
  answer({ url: sim.url });
  await untilReleased();
  await sim.stop();
}
