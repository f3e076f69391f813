/** agents/echo, twice, on a real NATS, and a gateway before it: what other people's clients talk to. */
import type { AgentDefinition } from "../../a2a/mod.ts";
import { makeEchoAgent } from "../../agents/mod.ts";
import { systemClock } from "../../core/mod.ts";
import { openMesh } from "../a2a/echo.ts";
import { type Stand, startStand } from "../a2a/http/support.ts";

/** Under another name than the agent of the stand. */
export const parrot: AgentDefinition = { ...makeEchoAgent(systemClock), name: "parrot" };

export interface InteropStand extends AsyncDisposable {
  readonly stand: Stand;
  /** The parrot over HTTP. */
  readonly url: string;
}

export async function startInterop(): Promise<InteropStand> {
  const stand = await startStand({ serve: [parrot] });
  const second = await openMesh(stand.nats.url, "second");
  await second.serve(parrot);
  return {
    stand,
    url: `${stand.url}/agents/parrot`,
    [Symbol.asyncDispose]: async () => {
      await second.close();
      await stand[Symbol.asyncDispose]();
    },
  };
}
