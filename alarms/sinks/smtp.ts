/**
 * Notices as mails, handed to one mail server (RFC 5321; STARTTLS RFC 3207; AUTH RFC 4954). A password
 * goes out in TLS alone. What the server puts off (4xx) is tried later, what it refuses (5xx) never.
 */
import { PetrelError } from "../../core/mod.ts";
import { mailOf } from "../mail/message.ts";
import { type Reply, type Server, Session, SYSTEM } from "../mail/session.ts";
import type { Notice, Severity } from "../notice.ts";
import { within } from "../post.ts";
import type { AlarmSink } from "../sink.ts";
import { oneLine } from "../text.ts";

export interface SmtpOptions {
  readonly host: string;
  readonly port: number;
  readonly security: "starttls" | "tls" | "none";
  readonly user?: string;
  readonly password?: string;
  readonly ca?: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly minSeverity: Severity;
  readonly timeoutMs: number;
}

const REASON_CHARS_MAX = 300;

export function smtpSink(options: SmtpOptions): AlarmSink {
  const { minSeverity, timeoutMs } = options;
  return {
    name: SYSTEM,
    minSeverity,
    isIdempotent: false,
    timeoutMs,
    send: (notice, signal) =>
      within({ system: SYSTEM, timeoutMs }, signal, (bounded) => deliver(options, notice, bounded)),
  };
}

async function deliver(options: SmtpOptions, notice: Notice, signal: AbortSignal): Promise<void> {
  const { host, port, security, ca } = options;
  const server: Server = {
    host,
    port,
    isTls: security === "tls",
    ...(ca === undefined ? {} : { ca }),
  };
  const session = await Session.open(server, signal);
  try {
    const expect = expecting(options);
    await expect(session.reply(), "the greeting");
    const hello = async () =>
      (await expect(session.command(`EHLO ${session.localName}`), "EHLO")).lines;
    let extensions = await hello();
    if (security === "starttls") {
      if (!extensions.some((one) => /^STARTTLS$/i.test(one.trim()))) throw noTls(options);
      await expect(session.command("STARTTLS"), "STARTTLS");
      await session.upgrade();
      extensions = await hello();
    }
    await logIn(session, options, extensions, expect);
    await sendMail(session, options, notice, expect);
    session.close();
  } catch (error) {
    session.destroy();
    throw error;
  }
}

/** Reads a reply, and rejects where it does not say that the step was taken. */
type Expect = (reply: Promise<Reply>, step: string) => Promise<Reply>;

function expecting(options: SmtpOptions): Expect {
  return async (pending, step) => {
    const reply = await pending;
    if (reply.code >= 200 && reply.code < 400) return reply;
    throw refusal(reply, step, options);
  };
}

async function logIn(
  session: Session,
  { user, password = "" }: SmtpOptions,
  extensions: readonly string[],
  expect: Expect,
): Promise<void> {
  if (user === undefined) return;
  const ways = extensions.find((one) => /^AUTH[ =]/i.test(one))?.toUpperCase() ?? "";
  if (/\bPLAIN\b/.test(ways) || !/\bLOGIN\b/.test(ways)) {
    await expect(session.command(`AUTH PLAIN ${base64(`\0${user}\0${password}`)}`), "AUTH");
    return;
  }
  await expect(session.command("AUTH LOGIN"), "AUTH");
  await expect(session.command(base64(user)), "AUTH");
  await expect(session.command(base64(password)), "AUTH");
}

/**
 * One transaction. Who is put off stops it before anything is sent, so that nobody gets it twice; who is
 * refused does not keep it from the others, and is named once they have it.
 */
async function sendMail(
  session: Session,
  options: SmtpOptions,
  notice: Notice,
  expect: Expect,
): Promise<void> {
  const { from, to } = options;
  await expect(session.command(`MAIL FROM:<${from}>`), "MAIL FROM");
  const refused: string[] = [];
  let last: Reply | undefined;
  for (const address of to) {
    const reply = await session.command(`RCPT TO:<${address}>`);
    if (reply.code < 500) await expect(Promise.resolve(reply), "RCPT TO");
    else {
      refused.push(address);
      last = reply;
    }
  }
  if (last && refused.length === to.length) throw refusal(last, "RCPT TO", options);
  await expect(session.command("DATA"), "DATA");
  await expect(session.command(`${stuffed(mailOf(notice, options))}.`), "the mail");
  if (last === undefined) return;
  const error = refusal(last, `RCPT TO ${refused.length} of ${to.length} recipients`, options);
  const text = `${error.message}; the others have it`;
  throw new PetrelError(error.code, text, { ...error.fields, refused: refused.join(", ") });
}

/** A line of the mail that begins with a dot would end it (RFC 5321, section 4.5.2). */
function stuffed(mail: string): string {
  return mail.replace(/^\./gm, "..");
}

function refusal(reply: Reply, step: string, { user, password }: SmtpOptions): PetrelError {
  const secrets = [
    password,
    password && base64(password),
    password && base64(`\0${user}\0${password}`),
  ];
  const said = oneLine(reply.lines.join(" "));
  const reason = secrets
    .reduce<string>((text, one) => (one ? text.replaceAll(one, "[secret]") : text), said)
    .slice(0, REASON_CHARS_MAX);
  const fields = { system: SYSTEM, status: reply.code, message: reason };
  const text = `${SYSTEM}: the server answered ${reply.code} to ${step}: ${reason}`;
  return new PetrelError(codeOf(reply.code), text, fields);
}

function codeOf(status: number) {
  if (status === 530 || status === 534 || status === 535 || status === 538)
    return "UNAUTHENTICATED";
  if (status >= 500 && status < 600) return "QUERY_REFUSED";
  if (status >= 400 && status < 500) return "UNAVAILABLE";
  return "PROTOCOL_VIOLATION";
}

function noTls({ host, port }: SmtpOptions): PetrelError {
  const text = `${SYSTEM}: ${host}:${port} offers no STARTTLS; nothing was sent to it`;
  return new PetrelError("PROTOCOL_VIOLATION", text, { system: SYSTEM, place: "EHLO" });
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
