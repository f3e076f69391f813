/** The redactor that the configuration asks for: of the audit, of what agents say, and of what an LLM gets. */
import { readFile } from "node:fs/promises";
import { type Config, makeRedactor, messageOf, PetrelError, type Redactor } from "../core/mod.ts";

/** Throws CONFIG_INVALID when the key cannot be read, or is too short. */
export async function redactorOf({ audit }: Config): Promise<Redactor> {
  const { key_file: file, key_id: keyId } = audit.redaction;
  if (file === undefined) return makeRedactor();
  const key = await readFile(file).catch((error: unknown) => {
    throw new PetrelError(
      "CONFIG_INVALID",
      `audit.redaction.key_file: ${messageOf(error)}`,
      { path: "audit.redaction.key_file" },
      error,
    );
  });
  return makeRedactor({ key, keyId });
}
