/**
 * The few English and technical words whose neighbours are values whatever service writes them: units,
 * parts of dates, ways to say nothing, and nouns that a name follows. Kept as hashes of their letters.
 */
import { HASH_START, mixed } from "./characters.ts";

export function hashOfWord(word: string): number {
  let hash = HASH_START;
  for (let at = 0; at < word.length; at++) hash = mixed(hash, word.charCodeAt(at));
  return hash;
}

function words(text: string): ReadonlySet<number> {
  return new Set(text.split(" ").map(hashOfWord));
}

/** After a number: how much of what. */
export const UNITS = words(
  "B KB MB GB TB PB KiB MiB GiB TiB kB kb mb gb byte bytes Byte Bytes " +
    "ns us µs ms msec msecs millis s sec secs second seconds min mins minute minutes h hr hrs hour hours " +
    "day days milliseconds millisecond microseconds microsecond nanoseconds",
);
export const MONTHS = words("Jan Feb Mar Apr May Jun Jul Aug Sep Sept Oct Nov Dec");
export const DAYS = words("Mon Tue Wed Thu Fri Sat Sun");
export const ZONES = words(
  "UTC GMT Z EST EDT CST CDT MST MDT PST PDT CET CEST MSK JST IST HKT AM PM",
);
/** What stands where a value is missing. */
export const NOTHINGS = words("null nil none None NULL undefined NaN nan unknown");
/** A pair with one of these is a flag. */
export const TRUTHS = words("true false True False TRUE FALSE yes no");
/** Nouns that the name of one among many follows. */
export const LABELS = words(
  "user User username account group role host Host hostname server node Node device interface " +
    "file File directory folder path table database schema index column key topic queue partition " +
    "service Service process program thread Thread job Job task Task instance session class method " +
    "function module Module package Package plugin component bean command name named id",
);
