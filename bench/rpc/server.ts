/** The serving process of one RPC run. */
import { z } from "zod";
import { answer, readTask, untilReleased } from "../worker.ts";
import { Reported, Side, serve } from "./sides.ts";

export const ServerTask = z.object({ side: Side, url: z.string() });
export type ServerTask = z.infer<typeof ServerTask>;

/** Processor time in microseconds, user and system, from the first request on. */
export const ServerAnswer = Reported.extend({ cpuMicros: z.number() });

if (import.meta.main) {
  const { side, url } = readTask(ServerTask);
  const { stop, url: reachedAt } = await serve(side, url);
  const before = process.cpuUsage();
  answer({ ready: true, url: reachedAt });
  await untilReleased();
  const reported = await stop();
  const { user, system } = process.cpuUsage(before);
  answer({ ...reported, cpuMicros: user + system });
}
