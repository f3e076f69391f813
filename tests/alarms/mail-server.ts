/**
 * A mail server for tests, true to RFC 5321, 3207 and 4954 as far as one client needs it: it keeps what
 * it gets, and answers as it is told where a test wants it to.
 */
import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer, TLSSocket } from "node:tls";
import { MAIL_CERT, MAIL_KEY } from "./mail-cert.ts";

export interface MailServerOptions {
  /** Lines of the answer to EHLO. */
  readonly extensions?: readonly string[];
  /** TLS from the first byte. */
  readonly isTls?: boolean;
  /** Another answer to a command that begins so: by its first words, `DATA`, `.` for the mail itself. */
  readonly replies?: Readonly<Record<string, string>>;
  readonly greeting?: string;
  /** Hangs up instead of answering a command that begins so; `.` for the mail itself. */
  readonly cutsAt?: string;
  /** Said in the clear right behind the answer to STARTTLS, as an attacker would. */
  readonly injected?: string;
}

export interface MailServer extends AsyncDisposable {
  readonly port: number;
  /** Every command, credentials as they came; the mail itself is in `mails`. */
  readonly commands: readonly string[];
  readonly mails: readonly string[];
  /** Commands that came in the clear. */
  readonly plain: readonly string[];
}

const SECURE = { cert: MAIL_CERT, key: MAIL_KEY };

export async function startMailServer(options: MailServerOptions = {}): Promise<MailServer> {
  const commands: string[] = [];
  const mails: string[] = [];
  const plain: string[] = [];
  const sockets = new Set<Socket>();
  const note = (command: string, isSecure: boolean) => {
    commands.push(command);
    if (!isSecure) plain.push(command);
  };
  const serve = (socket: Socket, isSecure: boolean, isNew: boolean) =>
    converse(socket, { options, mails, note, isSecure, isNew, serve });
  const accept = (socket: Socket) => {
    sockets.add(socket);
    serve(socket, options.isTls === true, true);
  };
  const server = options.isTls ? createTlsServer(SECURE, accept) : createServer(accept);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    commands,
    mails,
    plain,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Talk {
  readonly options: MailServerOptions;
  readonly mails: string[];
  readonly note: (command: string, isSecure: boolean) => void;
  readonly isSecure: boolean;
  readonly isNew: boolean;
  readonly serve: (socket: Socket, isSecure: boolean, isNew: boolean) => void;
}

const EXTENSIONS = ["mail.example", "SIZE 10240000", "STARTTLS", "AUTH PLAIN LOGIN"];

function converse(socket: Socket, talk: Talk): void {
  const { options, mails, note, isSecure, isNew, serve } = talk;
  const { extensions = EXTENSIONS, replies = {}, greeting = "220 mail.example ESMTP" } = options;
  let text = "";
  let isData = false;
  let login = 0;
  const say = (line: string) => socket.write(`${line}\r\n`);
  const told = (command: string) =>
    Object.entries(replies).find(([begin]) => command.toUpperCase().startsWith(begin))?.[1];

  const answerTo = (command: string): string => {
    const verb = command.split(/[ :]/)[0]?.toUpperCase() ?? "";
    if (login > 0) {
      login -= 1;
      return login > 0 ? "334 UGFzc3dvcmQ6" : (told("AUTH") ?? "235 2.7.0 ok");
    }
    if (command.toUpperCase() === "AUTH LOGIN") {
      login = 2;
      return "334 VXNlcm5hbWU6";
    }
    const own = told(command);
    if (own !== undefined) return own;
    if (verb === "EHLO")
      return extensions
        .map((one, at) => `250${at === extensions.length - 1 ? " " : "-"}${one}`)
        .join("\r\n");
    if (verb === "AUTH") return "235 2.7.0 ok";
    return { DATA: "354 go on", STARTTLS: "220 go on", QUIT: "221 bye" }[verb] ?? "250 2.1.0 ok";
  };

  const isCutAt = (command: string) =>
    options.cutsAt !== undefined && command.startsWith(options.cutsAt);

  const take = (line: string): void => {
    note(line, isSecure);
    if (isCutAt(line)) {
      socket.destroy();
      return;
    }
    const answer = answerTo(line);
    const isStart = line.toUpperCase() === "STARTTLS" && answer.startsWith("2");
    say(isStart ? `${answer}${options.injected ?? ""}` : answer);
    if (line.toUpperCase() === "DATA" && answer.startsWith("3")) isData = true;
    if (!isStart) return;
    socket.removeAllListeners("data");
    const secure = new TLSSocket(socket, { isServer: true, ...SECURE });
    secure.on("error", () => undefined);
    serve(secure, true, false);
  };

  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    for (;;) {
      const end = isData ? text.indexOf("\r\n.\r\n") : text.indexOf("\r\n");
      if (end < 0) return;
      const line = text.slice(0, end);
      text = text.slice(end + (isData ? 5 : 2));
      if (!isData) take(line);
      else {
        isData = false;
        mails.push(`${line}\r\n`.replace(/^\.\./gm, "."));
        if (isCutAt(".")) socket.destroy();
        else say(told(".") ?? "250 2.0.0 queued as 42");
      }
    }
  });
  if (isNew) say(greeting);
}
