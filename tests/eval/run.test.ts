/** The runner: whatever a suite's wait ends with once the signal fired, it is CANCELLED. */
import { expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { evaluate, type IncidentLab, type Lab } from "../../eval/mod.ts";
import { failureOf } from "../support/failure.ts";
import { makeNezha } from "./nezha-folder.ts";

/** Agents that never start: opening them ends with the signal's own reason. */
function labOf(controller: AbortController, reason: unknown): Lab & IncidentLab {
  return {
    open: async (_recording, _sources, signal) => {
      controller.abort(reason);
      throw signal.reason;
    },
    watch: () => Promise.reject(new Error("no incidents here")),
  };
}

test("a signal with any reason is CANCELLED, and other errors pass as they are", async () => {
  const dir = await makeNezha();
  await using _cleanup = {
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
  for (const reason of [undefined, new Error("enough"), "enough"]) {
    const controller = new AbortController();
    const options = { dir, signal: controller.signal };
    const failure = await failureOf(evaluate("nezha", labOf(controller, reason), options));
    expect(failure).toMatchObject({ code: "CANCELLED" });
  }
  const fail = () => Promise.reject(new TypeError("a defect"));
  const broken: Lab & IncidentLab = { open: fail, watch: fail };
  const { signal } = new AbortController();
  await expect(evaluate("nezha", broken, { dir, signal })).rejects.toThrow("a defect");
});
