/** The calling process of one RPC run: runs the load, then waits until all it reported is stored. */
import { z } from "zod";
import { Run } from "../run.ts";
import { answer, readTask } from "../worker.ts";
import { runLoad } from "./load.ts";
import { openEcho, Reported, Side } from "./sides.ts";

export const ClientTask = z.object({
  side: Side,
  url: z.string(),
  load: z.object({
    warmUpCalls: z.number(),
    sequentialCalls: z.number(),
    concurrentCalls: z.number(),
    callers: z.number(),
    textBytes: z.number(),
  }),
});
export type ClientTask = z.infer<typeof ClientTask>;

export const ClientAnswer = Reported.extend({ run: Run, cpuMicros: z.number() });

if (import.meta.main) {
  const { side, url, load } = readTask(ClientTask);
  const { echo, stop } = await openEcho(side, url);
  const before = process.cpuUsage();
  const run = await runLoad(echo, load);
  const reported = await stop();
  const { user, system } = process.cpuUsage(before);
  answer({ ...reported, run, cpuMicros: user + system });
}
