/**
 * What a stack trace tells: the class of the root cause, and the place in the code. Patterns are anchored
 * and bounded, and never backtrack.
 */
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

/** What a frame says in brackets; its own file and line, no native method. */
const SOURCE_LINE = /^[\w$]{1,100}\.(?:java|kt|scala|groovy):(\d{1,6})$/;
const FRAME_CHARS_MAX = 500;
/** Code that runs everybody's requests: it is seldom where the fault is. */
const LIBRARIES =
  /^(?:java|javax|jakarta|jdk|sun|com\.sun|org\.(?:springframework|apache|hibernate|eclipse|postgresql|slf4j|jboss)|com\.(?:zaxxer|mysql|fasterxml|google|netflix)|io\.(?:netty|micrometer|grpc|lettuce)|reactor|feign|kotlin|okhttp3|ch\.qos)\./;
const FRAMES_MAX = 200;

/**
 * The place of the fault in the code, such as `Payment.charge#42`: the first frame of the root cause that
 * is the application's own, else the first of the whole trace, else the first frame of the root cause.
 */
export function frameOf(rest: string): string | undefined {
  if (!rest.includes("\tat ") && !rest.includes(" at ")) return undefined;
  const caused = rest.lastIndexOf(CAUSED_BY);
  const root = framesOf(caused === -1 ? rest : rest.slice(caused));
  const isOwn = ({ name }: Frame) => !LIBRARIES.test(name);
  const found = root.find(isOwn) ?? framesOf(rest).find(isOwn) ?? root[0];
  if (found === undefined) return undefined;
  const className = found.name.slice(found.name.lastIndexOf(".") + 1);
  return intern(`${className}.${found.method}#${found.line}`);
}

interface Frame {
  /** With its package. */
  readonly name: string;
  readonly method: string;
  readonly line: string;
}

function framesOf(text: string): Frame[] {
  return text.split("\n", FRAMES_MAX).flatMap((line) => frameIn(line) ?? []);
}

/** Reads `\tat app//com.bank.Payment.charge(Payment.java:42)`, by index: the text may be anything. */
function frameIn(line: string): Frame | undefined {
  const text = line.slice(0, FRAME_CHARS_MAX).trimStart();
  const open = text.startsWith("at ") ? text.indexOf("(") : -1;
  const close = open === -1 ? -1 : text.indexOf(")", open);
  if (close === -1) return undefined;
  const number = SOURCE_LINE.exec(text.slice(open + 1, close))?.[1];
  const call = text.slice(text.lastIndexOf("/", open) + 1, open).replace(/^at /, "");
  const dot = call.lastIndexOf(".");
  if (number === undefined || dot <= 0) return undefined;
  return { name: call.slice(0, dot), method: call.slice(dot + 1), line: number };
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
