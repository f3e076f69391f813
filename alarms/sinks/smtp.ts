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
/** Notices that some have and others were put off with. */
const HALF_SENT_MAX = 500;

export function smtpSink(options: SmtpOptions): AlarmSink {
  const { minSeverity, timeoutMs } = options;
  /** Who has a notice already, by its id. */
  const halfSent = new Map<string, ReadonlySet<string>>();
  return {
    name: SYSTEM,
    minSeverity,
    isIdempotent: false,
    timeoutMs,
    send: (notice, signal) =>
      within({ system: SYSTEM, timeoutMs }, signal, async (bounded) => {
        const reached = new Set(halfSent.get(notice.id));
        try {
          await deliver(options, notice, { reached, signal: bounded });
          halfSent.delete(notice.id);
        } catch (error) {
          if (reached.size > 0) halfSent.set(notice.id, reached);
          if (halfSent.size > HALF_SENT_MAX) {
            for (const oldest of halfSent.keys().take(1)) halfSent.delete(oldest);
          }
          throw error;
        }
      }),
  };
}

interface Attempt {
  /** Recipients that have the notice; who gets it now is added. */
  readonly reached: Set<string>;
  readonly signal: AbortSignal;
}

async function deliver(options: SmtpOptions, notice: Notice, attempt: Attempt): Promise<void> {
  const { signal } = attempt;
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
    await sendMail(session, options, notice, { expect, reached: attempt.reached });
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
 * One transaction with those who have it not yet. Who is put off or refused does not keep it from the
 * others: the ones are tried again, without those others, and the others named once they have it.
 */
async function sendMail(
  session: Session,
  options: SmtpOptions,
  notice: Notice,
  { expect, reached }: Pick<Attempt, "reached"> & { readonly expect: Expect },
): Promise<void> {
  const { from } = options;
  const to = options.to.filter((address) => !reached.has(address));
  await expect(session.command(`MAIL FROM:<${from}>`), "MAIL FROM");
  const taken: string[] = [];
  const failed: { readonly address: string; readonly reply: Reply }[] = [];
  for (const address of to) {
    const reply = await session.command(`RCPT TO:<${address}>`);
    // The server hangs up with this one.
    if (reply.code === 421) throw refusal(reply, "RCPT TO", options);
    if (reply.code >= 400) failed.push({ address, reply });
    else taken.push((await expect(Promise.resolve(reply), "RCPT TO")) && address);
  }
  const worst = failed.find(({ reply }) => reply.code < 500) ?? failed.at(-1);
  if (worst && taken.length === 0) throw refusal(worst.reply, "RCPT TO", options);
  await expect(session.command("DATA"), "DATA");
  await expect(session.command(`${stuffed(mailOf(notice, options))}.`), "the mail");
  for (const address of taken) reached.add(address);
  if (!worst) return;
  const error = refusal(
    worst.reply,
    `RCPT TO ${failed.length} of ${options.to.length} recipients`,
    options,
  );
  const text = `${error.message}; the others have it`;
  const refused = failed.map(({ address }) => address).join(", ");
  throw new PetrelError(error.code, text, { ...error.fields, refused });
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
