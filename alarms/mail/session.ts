/**
 * A connection to a mail server: commands out, replies in (RFC 5321), plain or in TLS. Every wait ends
 * with the attempt's deadline, replies are bounded, and a server that talks out of turn is refused.
 * Decides nothing about what is sent.
 */
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { messageOf, PetrelError, unlessAborted } from "../../core/mod.ts";

export interface Server {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte. */
  readonly isTls: boolean;
  /** PEM of the authority to trust instead of the system's. */
  readonly ca?: string;
}

export interface Reply {
  /** Three digits. */
  readonly code: number;
  /** The texts behind the code, line by line. */
  readonly lines: readonly string[];
}

export const SYSTEM = "smtp";
const REPLY_BYTES_MAX = 16 * 1024;

export class Session {
  readonly #server: Server;
  readonly #signal: AbortSignal;
  #socket: Socket;
  #received = "";
  /** Rejects when the connection is over. */
  readonly #failed = Promise.withResolvers<never>();
  #wake = Promise.withResolvers<void>();

  private constructor(server: Server, signal: AbortSignal, socket: Socket) {
    this.#server = server;
    this.#signal = signal;
    this.#socket = socket;
    this.#failed.promise.catch(() => undefined);
    this.#listen(socket);
  }

  /** Connects. The signal bounds everything the session does, and what it throws is its reason. */
  static async open(server: Server, signal: AbortSignal): Promise<Session> {
    const { host, port } = server;
    const socket = server.isTls
      ? connectTls({ port, ...tlsOptions(server) })
      : connect({ host, port });
    const session = new Session(server, signal, socket);
    await session.#until(socket, server.isTls ? "secureConnect" : "connect");
    return session;
  }

  /** Our own address as EHLO names it. */
  get localName(): string {
    const address = this.#socket.localAddress ?? "127.0.0.1";
    return isIP(address) === 6 ? `[IPv6:${address}]` : `[${address}]`;
  }

  /** Sends a command and reads its reply. */
  async command(line: string): Promise<Reply> {
    this.#socket.write(`${line}\r\n`);
    return this.reply();
  }

  /** The next reply. */
  async reply(): Promise<Reply> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.#line();
      const [, code, isMore, text = ""] = /^(\d{3})(?:([- ])(.*))?$/.exec(line) ?? [];
      if (code === undefined) throw this.#protocol("a line is no reply");
      lines.push(text);
      if (lines.length > REPLY_BYTES_MAX / 64) throw this.#protocol("a reply has no end");
      if (isMore !== "-") return { code: Number(code), lines };
    }
  }

  /** Goes on in TLS after STARTTLS. What the server said before the handshake is not believed. */
  async upgrade(): Promise<void> {
    if (this.#received !== "") throw this.#protocol("it talks on after STARTTLS");
    const plain = this.#socket;
    plain.removeAllListeners("data");
    this.#socket = connectTls({ socket: plain, ...tlsOptions(this.#server) });
    this.#listen(this.#socket);
    await this.#until(this.#socket, "secureConnect");
  }

  /** Says goodbye without waiting for the answer. */
  close(): void {
    if (this.#socket.writable) this.#socket.end("QUIT\r\n");
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async #line(): Promise<string> {
    for (;;) {
      const at = this.#received.indexOf("\n");
      if (at >= 0) {
        const line = this.#received.slice(0, at).replace(/\r$/, "");
        this.#received = this.#received.slice(at + 1);
        return line;
      }
      await unlessAborted(Promise.race([this.#wake.promise, this.#failed.promise]), this.#signal);
    }
  }

  #listen(socket: Socket): void {
    socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.toString("latin1");
      if (this.#received.length > REPLY_BYTES_MAX) {
        this.#received = "";
        this.#failed.reject(this.#protocol("a reply has no end"));
        socket.destroy();
      }
      this.#stir();
    });
    socket.on("error", (error) => this.#failed.reject(this.#away(error)));
    socket.on("close", () => {
      const { host, port } = this.#server;
      const text = `${SYSTEM}: ${host}:${port} closed the connection before it had answered`;
      this.#failed.reject(new PetrelError("INCOMPLETE", text, { system: SYSTEM }));
    });
  }

  #stir(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }

  async #until(socket: Socket, event: "connect" | "secureConnect"): Promise<void> {
    const { promise: isThere, resolve } = Promise.withResolvers<void>();
    socket.once(event, resolve);
    try {
      await unlessAborted(Promise.race([isThere, this.#failed.promise]), this.#signal);
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  #away(error: unknown): PetrelError {
    const { host, port } = this.#server;
    const text = `${SYSTEM}: cannot talk to ${host}:${port}: ${messageOf(error, 200)}`;
    return new PetrelError("UNAVAILABLE", text, { system: SYSTEM }, error);
  }

  #protocol(why: string): PetrelError {
    const { host, port } = this.#server;
    const text = `${SYSTEM}: ${host}:${port} does not speak SMTP: ${why}`;
    return new PetrelError("PROTOCOL_VIOLATION", text, { system: SYSTEM, place: "reply" });
  }
}

function tlsOptions({ host, ca }: Server) {
  return {
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca }),
  };
}
