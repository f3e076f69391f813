/** The verdict that a task of the SRE agent holds, wherever it lies. What a peer wrote is checked. */
import type { Task } from "@a2a-js/sdk";
import type { Mesh } from "../../a2a/mod.ts";
import type { Verdict } from "../../agents/mod.ts";
import { readVerdict } from "../../agents/supervisor/mod.ts";
import { PetrelError } from "../../core/mod.ts";

/** Undefined where it has none yet. Throws PROTOCOL_VIOLATION for one that is none. */
export async function verdictIn(mesh: Mesh, { artifacts }: Task): Promise<Verdict | undefined> {
  const part = artifacts.findLast(({ name }) => name === "verdict")?.parts[0];
  if (part?.content?.$case === "data") return readVerdict(part.content.value);
  if (part?.content?.$case !== "url") return undefined;
  // A large one lies in the object store.
  const bytes = await mesh.artifacts.get(part);
  try {
    return readVerdict(JSON.parse(Buffer.from(bytes).toString()));
  } catch (error) {
    if (error instanceof PetrelError) throw error;
    throw new PetrelError("PROTOCOL_VIOLATION", "the verdict is not JSON", {}, error);
  }
}
