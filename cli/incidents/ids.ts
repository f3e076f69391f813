/** Ids as people type them: whole, or a beginning that is one incident's alone. */
import { PetrelError } from "../../core/mod.ts";

const ID = /^[A-Za-z0-9_-]{4,128}$/;

/** The one word after a verb. Throws USAGE when it is missing or no id. */
export function idOf(positionals: readonly string[], verb: string): string {
  const [id] = positionals;
  if (id === undefined) throw usage(`petrel incidents ${verb}: name one by its id`);
  if (ID.test(id)) return id;
  throw usage(
    `petrel incidents ${verb}: "${id.slice(0, 60)}" is no id: 4 to 128 letters, digits and dashes`,
  );
}

function usage(message: string): PetrelError {
  return new PetrelError("USAGE", message, { path: "id" });
}
