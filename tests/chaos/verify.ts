/** `petrel audit verify`, as a user runs it, and what it answers. */
import { join } from "node:path";
import { z } from "zod";
import { PetrelError } from "../../core/mod.ts";
import type { World } from "./world.ts";

const ROOT = join(import.meta.dir, "../..");

const Verified = z.object({
  isIntact: z.boolean(),
  signed: z.boolean(),
  reports: z
    .array(
      z.object({
        size: z.number(),
        provenTo: z.number(),
        matched: z.number(),
        checkpoints: z.number(),
        replayed: z.number().optional(),
        findings: z.array(
          z.object({
            kind: z.string(),
            leaf: z.number().optional(),
            place: z.string().optional(),
            message: z.string(),
          }),
        ),
      }),
    )
    .length(1),
});
export type Verified = z.infer<typeof Verified>;

/**
 * Verifies the trail in Kafka with the checkpoints that were kept outside of it, and against JetStream.
 * Throws INCOMPLETE with the command's own words when it gives no answer.
 */
export async function auditVerify({ dir, keyring, checkpoints }: World): Promise<Verified> {
  const petrel = [process.execPath, join(ROOT, "cli/main.ts")];
  const given = ["--keys", keyring, "--checkpoints", checkpoints];
  const asked = ["audit", "verify", "--json", "--against-jetstream", ...given];
  const child = Bun.spawn([...petrel, ...asked], {
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, PETREL_CONFIG: join(dir, "petrel.yaml") },
  });
  const [out, said] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const line = out.trim().split("\n").at(-1) ?? "";
  if (line.startsWith("{")) return Verified.parse(JSON.parse(line));
  throw new PetrelError("INCOMPLETE", `petrel audit verify: ${said.trim().slice(-500)}`);
}
