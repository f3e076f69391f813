/** What a test expects of work that must fail. */
import { PetrelError } from "../../core/mod.ts";

/** The error the work rejected with. Throws when it succeeded, or failed with anything but a PetrelError. */
export async function failureOf(work: Promise<unknown>): Promise<PetrelError> {
  const outcome = await work.then(
    () => "it succeeded",
    (error: unknown) => error,
  );
  if (outcome instanceof PetrelError) return outcome;
  throw new Error(`expected a PetrelError, got ${String(outcome)}`, { cause: outcome });
}
