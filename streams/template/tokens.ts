/**
 * The shape of one word: what kind of value it is, told by its characters alone. Words without a digit,
 * slash or at-sign are text. Patterns are anchored and linear.
 */

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const NUMBER = /^[+-]?\d[\d.]*(ms|ns|us|µs|s|sec|m|h|d|%|[kKMGT]i?B|B)?$/;
const IP = /^\/?\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?:\/\d{1,2})?$/;
const TIME =
  /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?$|^\d\d:\d\d(?::\d\d(?:[.]\d+)?)?$|^\d{4}\/\d\d\/\d\d$/;
const HEX = /^(?:0x[0-9a-f]+|[0-9a-f]{8,})$/i;
const EMAIL = /^[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,5}$/;
const URL_START = /^[a-z][a-z0-9+]{1,9}:\/\//i;
/** Bytes in hexadecimal, as hardware addresses are written. */
const BYTES = /^(?:[0-9a-f]{1,2}:){3,31}[0-9a-f]{1,2}$/i;
/** At least three labels that end in a top-level domain; a Java name begins with one. */
const HOST = /^[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}\.(?:com|net|org|edu|gov|mil|[a-z]{2})$/i;
const JAVA_NAME = /^(?:com|org|net|io|java|javax|jakarta|sun)\./;
const DIGITS = /\d+/g;

/** The word with what varies in it named: `<UUID>`, `<IP>`, `HikariPool-<NUM>`. */
export function maskWord(word: string): string {
  const first = word.charCodeAt(0);
  if (BYTES.test(word) && !TIME.test(word)) return "<HEX>";
  if (word.includes(".") && HOST.test(word) && !IP.test(word) && !JAVA_NAME.test(word)) {
    return "<HOST>";
  }
  if ((first >= 48 && first <= 57) || first === 45 || first === 43) return maskNumeric(word);
  if (URL_START.test(word)) return "<URL>";
  if (word.includes("@")) return EMAIL.test(word) ? "<EMAIL>" : "<AT>";
  if (word.startsWith("/")) return IP.test(word) ? "<IP>" : "<PATH>";
  if (isPath(word)) return "<PATH>";
  if (UUID.test(word)) return "<UUID>";
  if (HEX.test(word) && /\d/.test(word)) return "<HEX>";
  return word.replace(DIGITS, "<NUM>");
}

/** `./run`, `a/b/c.txt`, `C:\\Windows\\x`; one slash alone may stand between two words. */
function isPath(word: string): boolean {
  if (word.startsWith("./") || word.startsWith("../") || word.startsWith("~/")) return true;
  return /^[^/]*\/[^/]+\//.test(word) || /^[^\\]*\\[^\\]+\\/.test(word);
}

function maskNumeric(word: string): string {
  const number = NUMBER.exec(word);
  if (number !== null && !IP.test(word)) return `<NUM>${number[1] ?? ""}`;
  if (IP.test(word)) return "<IP>";
  if (TIME.test(word)) return "<TIME>";
  if (UUID.test(word)) return "<UUID>";
  if (HEX.test(word)) return "<HEX>";
  return word.replace(DIGITS, "<NUM>");
}
