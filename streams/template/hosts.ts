/** Tells names of hosts from other dotted names: Java packages, configuration keys, source files. */
import { flagsOf, IS } from "./characters.ts";

const HOST_CHARS_MAX = 253;
const JAVA_NAME = /^(?:com|org|net|io|edu|gov|java|javax|jakarta|sun|kotlin|scala|android)\./;
const GENERIC_END = new Set([
  "com",
  "net",
  "org",
  "edu",
  "gov",
  "mil",
  "int",
  "info",
  "local",
  "internal",
]);
const SECOND_LEVEL = new Set("ac co com edu go gov mil ne net or org".split(" "));
/** `Main.java:17` is a place in a source file, `proxy.corp:17` a port of a host. */
const SOURCE_END = new Set(
  "c cc cpp cs cxx go groovy h hpp java js jsx kt kts m mm php pl py rb rs scala sh swift ts tsx vb".split(
    " ",
  ),
);
const NAME = /^[\w-]{1,63}(?:\.[\w-]{1,63}){1,9}$/;
const LETTERS = /^[a-z]{2,8}$/i;

/** True for a name of at least three labels that ends as hosts do, or of two with a port after it. */
export function isHost(text: string, start: number, end: number, hasPort: boolean): boolean {
  if (end - start > HOST_CHARS_MAX || end - start < 4) return false;
  if (!mayEndHost(text, start, end)) return false;
  const name = text.slice(start, end);
  if (!NAME.test(name) || JAVA_NAME.test(name)) return false;
  const labels = name.toLowerCase().split(".");
  const last = labels.at(-1) ?? "";
  const before = labels.at(-2) ?? "";
  if (!LETTERS.test(last)) return false;
  if (hasPort) return !SOURCE_END.has(last);
  if (labels.length < 3) return false;
  if (GENERIC_END.has(last)) return true;
  if (last.length !== 2) return false;
  // Two letters end configuration keys as well: `retention.ms`, `task.id`.
  return SECOND_LEVEL.has(before) || labels[0] === "www" || /[\d-]/.test(name);
}

/** The last label is letters: a look at few characters that spares most words the rest. */
function mayEndHost(text: string, start: number, end: number): boolean {
  let at = end - 1;
  while (at > start && (flagsOf(text.charCodeAt(at)) & (IS.LETTER | IS.HEX)) !== 0) at -= 1;
  return at > start && at < end - 2 && text.charCodeAt(at) === 46;
}
