/** The class of the exception an event reports. It looks for fixed words only and never backtracks. */
import { intern } from "./own.ts";

const CLASS_NAME = /^[A-Za-z_$][\w$]{0,99}(?:\.[A-Za-z_$][\w$]{0,99}){0,20}/;
const CAUSED_BY = "Caused by: ";
const NESTED = "nested exception is ";
const THROWABLE = /(?:Exception|Error|Throwable|Failure|Timeout)$/;

/**
 * The root cause: the last `Caused by:` of the stack trace, else its head, else the last `nested
 * exception is` of the message, else an exception the message begins with or ends in.
 */
export function exceptionOf(message: string, rest: string): string | undefined {
  if (rest !== "") {
    const caused = rest.lastIndexOf(CAUSED_BY);
    const at = caused === -1 ? 0 : caused + CAUSED_BY.length;
    const found = classAt(rest, at);
    if (found !== undefined && (caused !== -1 || THROWABLE.test(found))) return found;
  }
  if (!message.includes("xception") && !message.includes("Error")) return undefined;
  const nested = message.lastIndexOf(NESTED);
  const found = nested === -1 ? undefined : classAt(message, nested + NESTED.length);
  return found ?? headOf(message);
}

/** A qualified name only: `Exception` alone is a word of prose. */
function headOf(message: string): string | undefined {
  const found = classAt(message, 0);
  return found?.includes(".") === true && THROWABLE.test(found) ? found : undefined;
}

function classAt(text: string, at: number): string | undefined {
  const found = CLASS_NAME.exec(text.slice(at, at + 300))?.[0];
  return found === undefined ? undefined : intern(found);
}
