/** Mails through a server on a real socket: what it gets, what it refuses, and what it must not get. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { quotedPrintable } from "../../alarms/mail/message.ts";
import { type SmtpOptions, smtpSink } from "../../alarms/mod.ts";
import { failureOf } from "../support/failure.ts";
import { MAIL_CERT } from "./mail-cert.ts";
import { type MailServer, startMailServer } from "./mail-server.ts";
import { decodeMail } from "./mails.ts";
import { anyNotice, INCIDENT, notice, seed } from "./notices.ts";
import { never, rawReceiver } from "./receiver.ts";

const PASSWORD = "hush-hush-hush";
const LOGIN = { user: "petrel", password: PASSWORD };

function sinkAt({ port }: { readonly port: number }, differs: Partial<SmtpOptions> = {}) {
  return smtpSink({
    host: "localhost",
    port,
    security: "starttls",
    ca: MAIL_CERT,
    from: "petrel@example.com",
    to: ["oncall@example.com"],
    minSeverity: "warning",
    timeoutMs: 10_000,
    ...differs,
  });
}

async function failureAt(server: MailServer, differs: Partial<SmtpOptions> = {}) {
  const error = await failureOf(sinkAt(server, differs).send(notice(), never()));
  expect(error.fields["system"]).toBe("smtp");
  expect(Bun.inspect(error)).not.toContain(PASSWORD);
  expect(Bun.inspect(error)).not.toContain(Buffer.from(PASSWORD).toString("base64"));
  return error;
}

describe("a mail", () => {
  test("goes out in TLS with the password, and is a mail that clients thread", async () => {
    await using server = await startMailServer();
    const sink = sinkAt(server, { ...LOGIN, to: ["a@example.com", "b@example.com"] });
    await sink.send(notice(), never());
    await sink.send(notice({ id: `${INCIDENT}.2`, change: "resolved" }), never());
    expect(server.plain.map((line) => line.split(" ")[0])).toEqual([
      "EHLO",
      "STARTTLS",
      "EHLO",
      "STARTTLS",
    ]);
    expect(server.commands).toContain("RCPT TO:<b@example.com>");
    expect(server.commands).toContain(
      `AUTH PLAIN ${Buffer.from(`\0petrel\0${PASSWORD}`).toString("base64")}`,
    );
    const [first, second] = server.mails.map(decodeMail);
    expect(Object.fromEntries(first?.headers ?? [])).toMatchObject({
      from: "Petrel <petrel@example.com>",
      to: "a@example.com, b@example.com",
      subject: "CRITICAL opened: payment-service: database connection pool exhausted",
      date: "Fri, 13 Mar 2026 14:25:21 +0000",
      "message-id": `<${INCIDENT}.1@petrel>`,
      "auto-submitted": "auto-generated",
      "content-type": "text/plain; charset=utf-8",
    });
    expect(first?.headers.has("references")).toBe(false);
    expect(Object.fromEntries(second?.headers ?? [])).toMatchObject({
      "message-id": `<${INCIDENT}.2@petrel>`,
      "in-reply-to": `<${INCIDENT}.1@petrel>`,
      references: `<${INCIDENT}.1@petrel>`,
    });
    expect(first?.body).toContain(
      "seen before on 2026-01-02, cause payment-service: database connection pool exhausted (confirmed)",
    );
  });

  test("TLS from the first byte, AUTH LOGIN where that is all there is", async () => {
    await using server = await startMailServer({ isTls: true, extensions: ["mail", "AUTH LOGIN"] });
    await sinkAt(server, { ...LOGIN, security: "tls" }).send(notice(), never());
    expect(server.commands.slice(1, 4)).toEqual([
      "AUTH LOGIN",
      Buffer.from("petrel").toString("base64"),
      Buffer.from(PASSWORD).toString("base64"),
    ]);
    expect(server.mails).toHaveLength(1);
  });

  test("any notice arrives as one mail, whatever dots and line ends it holds", async () => {
    await using server = await startMailServer();
    const sink = sinkAt(server, { security: "none" });
    const arrives = fc.asyncProperty(anyNotice, async (one) => {
      const before = server.mails.length;
      await sink.send(one, never());
      expect(server.mails.length).toBe(before + 1);
      const mail = decodeMail(server.mails.at(-1) ?? "");
      expect(mail.headers.get("to")).toBe("oncall@example.com");
      expect(mail.body).toContain(`notice ${one.id}`);
    });
    await fc.assert(arrives, { seed, numRuns: 50 });
    const verbs = new Set(server.commands.map((line) => line.split(/[ :]/)[0]));
    expect(verbs).toEqual(new Set(["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]));
  });

  test("quoted-printable says what was said, in lines of 76", () => {
    const says = fc.property(fc.string({ unit: "binary" }), (text) => {
      const plain = text.toWellFormed().replace(/\r/g, "");
      const quoted = quotedPrintable(plain);
      for (const line of quoted.split("\r\n")) expect(line.length).toBeLessThanOrEqual(76);
      expect(quoted).not.toMatch(/[ \t](\r\n|$)/);
      expect(decodeMail(`A: b\r\n\r\n${quoted}`).body).toBe(plain);
    });
    fc.assert(says, { seed });
  });
});

describe("refused", () => {
  const cases: [string, Record<string, string>, string, "never" | "later"][] = [
    ["the sender, for now", { "MAIL FROM": "451 4.3.0 try later" }, "UNAVAILABLE", "later"],
    ["the sender, for good", { "MAIL FROM": "550 5.7.1 not you" }, "QUERY_REFUSED", "never"],
    ["the only recipient", { "RCPT TO": "550 5.1.1 no such user" }, "QUERY_REFUSED", "never"],
    ["a recipient, for now", { "RCPT TO": "450 4.2.0 greylisted" }, "UNAVAILABLE", "later"],
    ["DATA", { DATA: "421 4.3.2 shutting down" }, "UNAVAILABLE", "later"],
    ["the mail", { ".": "554 5.6.0 looks like spam" }, "QUERY_REFUSED", "never"],
    ["the mail, for now", { ".": "452 4.3.1 disk full" }, "UNAVAILABLE", "later"],
    ["TLS", { STARTTLS: "454 4.7.0 not now" }, "UNAVAILABLE", "later"],
    ["the password", { AUTH: `535 5.7.8 wrong: ${PASSWORD}` }, "UNAUTHENTICATED", "never"],
    ["an answer nobody knows", { EHLO: "700 what" }, "PROTOCOL_VIOLATION", "never"],
    ["an answer that is none", { EHLO: "<html>" }, "PROTOCOL_VIOLATION", "never"],
  ];
  for (const [what, replies, code, retry] of cases) {
    test(what, async () => {
      await using server = await startMailServer({ replies });
      expect(await failureAt(server, LOGIN)).toMatchObject({ code, retry });
    });
  }

  test("a greeting that says no", async () => {
    await using server = await startMailServer({ greeting: "554 go away" });
    expect(await failureAt(server)).toMatchObject({
      code: "QUERY_REFUSED",
      fields: { status: 554 },
    });
    expect(server.commands).toEqual([]);
  });

  test("one recipient of two: the other has it, and the failure says who has not", async () => {
    const replies = { "RCPT TO:<GONE@": "550 5.1.1 no such user" };
    await using server = await startMailServer({ replies });
    const error = await failureAt(server, { to: ["gone@example.com", "oncall@example.com"] });
    expect(error).toMatchObject({ code: "QUERY_REFUSED", fields: { refused: "gone@example.com" } });
    expect(server.mails).toHaveLength(1);
  });

  test("one mailbox that is full keeps it from nobody else, and is tried again alone", async () => {
    const replies: Record<string, string> = { "RCPT TO:<FULL@": "452 4.2.2 mailbox full" };
    await using server = await startMailServer({ replies });
    const sink = sinkAt(server, { to: ["full@example.com", "oncall@example.com"] });
    for (let attempt = 1; attempt <= 2; attempt++) {
      const error = await failureOf(sink.send(notice(), never()));
      expect(error).toMatchObject({ code: "UNAVAILABLE", retry: "later" });
      expect(server.mails).toHaveLength(1);
    }
    delete replies["RCPT TO:<FULL@"];
    await sink.send(notice(), never());
    expect(server.mails).toHaveLength(2);
    const asked = server.commands.filter((line) => line.includes("oncall@"));
    expect(asked).toHaveLength(1);
  });
});

describe("hostile servers", () => {
  test("no STARTTLS: neither password nor mail goes out", async () => {
    await using server = await startMailServer({ extensions: ["mail", "AUTH PLAIN"] });
    expect(await failureAt(server, LOGIN)).toMatchObject({ code: "PROTOCOL_VIOLATION" });
    expect(server.commands.map((line) => line.split(" ")[0])).toEqual(["EHLO"]);
  });

  test("replies put in behind STARTTLS are not believed", async () => {
    await using server = await startMailServer({ injected: "\r\n250 all yours" });
    expect(await failureAt(server, LOGIN)).toMatchObject({ code: "PROTOCOL_VIOLATION" });
    expect(server.mails).toEqual([]);
  });

  test("a certificate nobody vouches for, or of another name", async () => {
    for (const security of ["starttls", "tls"] as const) {
      await using server = await startMailServer({ isTls: security === "tls" });
      const { port } = server;
      const shared = { port, security, ...LOGIN, from: "p@example.com", to: ["o@example.com"] };
      const limits = { minSeverity: "info" as const, timeoutMs: 10_000 };
      const untrusted = smtpSink({ host: "localhost", ...shared, ...limits });
      const misnamed = smtpSink({ host: "127.0.0.1", ca: MAIL_CERT, ...shared, ...limits });
      for (const sink of [untrusted, misnamed]) {
        const error = await failureOf(sink.send(notice(), never()));
        expect(error).toMatchObject({ code: "UNAVAILABLE" });
      }
      expect(server.commands.filter((line) => line.startsWith("AUTH"))).toEqual([]);
    }
  });

  test("a connection that is cut says later, before the mail and after it", async () => {
    for (const cutsAt of ["EHLO", "STARTTLS", "AUTH", "RCPT", "DATA", "."]) {
      await using server = await startMailServer({ cutsAt });
      const error = await failureAt(server, LOGIN);
      expect([cutsAt, error.retry]).toEqual([cutsAt, "later"]);
    }
  });

  test("silence, at the greeting and in the middle", async () => {
    await using mute = await rawReceiver(() => undefined);
    const port = Number(new URL(mute.url).port);
    const at = { port } as MailServer;
    expect(await failureAt(at, { timeoutMs: 100 })).toMatchObject({ code: "DEADLINE_EXCEEDED" });
  });

  test("a reply without end, and nobody there", async () => {
    const endless = Array.from({ length: 3_000 }, () => "250-more").join("\r\n");
    await using server = await startMailServer({ replies: { EHLO: endless } });
    expect(await failureAt(server)).toMatchObject({ code: "PROTOCOL_VIOLATION" });
    const long = `250-${"x".repeat(100_000)}`;
    await using other = await startMailServer({ replies: { EHLO: long } });
    expect(await failureAt(other)).toMatchObject({ code: "PROTOCOL_VIOLATION" });
    expect(await failureAt({ port: 1 } as MailServer)).toMatchObject({ code: "UNAVAILABLE" });
  });

  test("the caller's abort ends it with the caller's reason", async () => {
    const stop = new AbortController();
    await using server = await startMailServer({ greeting: "220-not yet" });
    const sending = sinkAt(server).send(notice(), stop.signal);
    stop.abort("shutdown");
    expect(await sending.catch((reason: unknown) => reason)).toBe("shutdown");
  });
});
