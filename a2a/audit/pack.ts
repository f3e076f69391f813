/**
 * What a pack says of itself, in one NATS header. With it a reader drops repetitions for ever, sees
 * every gap, and learns that time has passed although nothing was reported.
 */
import { isSubjectToken, PetrelError } from "../../core/mod.ts";

export const PACK_HEADER = "petrel-pack";

/** `open` goes on; a `beat` holds no records and says that its sender lives; `end` is the last. */
export const PACK_KINDS = ["open", "beat", "end"] as const;
export type PackKind = (typeof PACK_KINDS)[number];

export interface PackHeader {
  /** One lane of one process: its packs are numbered, and stored in order. */
  readonly sender: string;
  /** 1, 2, 3 … without holes. */
  readonly pack: number;
  /** Records in packs 1 to `pack`. */
  readonly reported: number;
  /** Records dropped so far, because the outbox was full. */
  readonly lost: number;
  readonly kind: PackKind;
}

/** `1 <sender> <pack> <reported> <lost> <open|beat|end>`; the first 1 is the format's version. */
export function formatPackHeader(header: PackHeader): string {
  const { sender, pack, reported, lost, kind } = header;
  return `1 ${sender} ${pack} ${reported} ${lost} ${kind}`;
}

/** Inverse of {@link formatPackHeader}, and nothing else. Throws PROTOCOL_VIOLATION naming the field. */
export function parsePackHeader(text: string): PackHeader {
  const [version, sender = "", pack, reported, lost, kind, ...more] = text.split(" ");
  if (version !== "1") throw malformed("version", "must be 1");
  if (!isSubjectToken(sender)) throw malformed("sender", "must be one subject token");
  const counts = {
    pack: countOf("pack", pack, 1),
    reported: countOf("reported", reported, 0),
    lost: countOf("lost", lost, 0),
  };
  const known = PACK_KINDS.find((each) => each === kind);
  if (!known) throw malformed("kind", `must be ${PACK_KINDS.join(", ")}`);
  if (more.length > 0) throw malformed("kind", "must be the last field");
  return { sender, ...counts, kind: known };
}

/** A whole number as it is written: no sign, no leading zero, exact in a double. */
function countOf(field: string, text: string | undefined, min: number): number {
  const count = /^(0|[1-9]\d{0,15})$/.test(text ?? "") ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(count) && count >= min) return count;
  throw malformed(field, `must be a whole number from ${min}`);
}

function malformed(field: string, what: string): PetrelError {
  return new PetrelError("PROTOCOL_VIOLATION", `${PACK_HEADER}: ${field}: ${what}`, {
    place: field,
  });
}
