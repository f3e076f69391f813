/**
 * Headers of ours, made without the library's `append`, which checks a name it has seen a million times
 * and looks for it among the others: a twentieth of a call.
 */
import type { MsgHdrs } from "@nats-io/nats-core";
import { MsgHdrsImpl } from "@nats-io/nats-core/internal";
import { PetrelError } from "../core/mod.ts";

/**
 * Headers under names of {@link HEADER}, each once; what is undefined is left out. Throws INTERNAL for
 * a value that would begin another header.
 */
export function headersOf(values: Readonly<Record<string, string | undefined>>): MsgHdrs {
  const made = new MsgHdrsImpl();
  for (const name in values) {
    const value = values[name];
    if (value === undefined) continue;
    if (/[\r\n]/.test(value)) throw new PetrelError("INTERNAL", `header ${name}: a line break`);
    made.headers.set(name, [value]);
  }
  return made;
}
