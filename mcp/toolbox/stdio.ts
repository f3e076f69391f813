/**
 * MCP over the standard input and output of a child process. The child inherits nothing but the
 * variables it is given, what it writes is bounded, and it does not outlive this.
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { type Clock, type Logger, messageOf, PetrelError } from "../../core/mod.ts";
import {
  answerTo,
  type BoundedTransport,
  cancelledId,
  type MessageId,
  requestId,
} from "./transport.ts";

export interface McpStdioOptions {
  /** The program and its arguments; no shell reads them. */
  readonly command: readonly string[];
  /** All that the child's environment holds. */
  readonly env: Readonly<Record<string, string>>;
}

interface Parts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly bytesMax: number;
}

const GRACE_MS = 1_000;
const STDERR_CHARS_KEPT = 2_000;

type ChildProcess = Bun.Subprocess<"pipe", "pipe", "pipe">;
const living = new Set<ChildProcess>();
let isGuarded = false;

/** A process that ends in the middle still takes its children along. */
function guard(child: ChildProcess): void {
  if (!isGuarded) {
    process.on("exit", () => {
      for (const each of living) each.kill("SIGKILL");
    });
  }
  isGuarded = true;
  living.add(child);
}

export class McpStdioTransport implements BoundedTransport {
  readonly isPipe = true;
  failure: PetrelError | undefined;
  onmessage?: (message: JSONRPCMessage) => void;
  onclose?: () => void;
  onerror?: (error: Error) => void;
  readonly #name: string;
  readonly #options: McpStdioOptions;
  readonly #parts: Parts;
  readonly #asked = new Set<MessageId>();
  #child: ChildProcess | undefined;
  #stderr = "";
  #closed: Promise<void> | undefined;

  constructor(name: string, options: McpStdioOptions, parts: Parts) {
    this.#name = name;
    this.#options = options;
    this.#parts = parts;
  }

  /** Rejects with UNAVAILABLE when the program cannot be run. */
  start(): Promise<void> {
    const [program = "", ...args] = this.#options.command;
    try {
      // The child's own PATH may not be set; the program is found by ours.
      const path = Bun.which(program) ?? program;
      const child = Bun.spawn([path, ...args], {
        stdin: "pipe",
        stdout: "pipe",
        stderr: "pipe",
        env: { ...this.#options.env },
      });
      guard(child);
      this.#child = child;
      void this.#readErrors(child);
      void this.#readAnswers(child);
      void child.exited.then((code) => {
        living.delete(child);
        this.#fail("INCOMPLETE", `the program ended with status ${code}`);
        return this.close();
      });
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(this.#fail("UNAVAILABLE", `cannot be run: ${messageOf(error, 200)}`));
    }
  }

  #fail(code: "UNAVAILABLE" | "INCOMPLETE" | "TOO_LARGE", why: string): PetrelError {
    this.failure ??= new PetrelError(code, `${this.#name}: ${why}`, { system: this.#name });
    return this.failure;
  }

  /** The last of what it says of itself, for the log alone. */
  async #readErrors({ stderr }: ChildProcess): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const part of stderr)
        this.#stderr = (this.#stderr + decoder.decode(part, { stream: true })).slice(
          -STDERR_CHARS_KEPT,
        );
    } catch {
      // It ended; why is told elsewhere.
    }
  }

  /** One message a line. A line that is too long ends the child: nothing after it can be trusted. */
  async #readAnswers({ stdout }: ChildProcess): Promise<void> {
    let parts: Uint8Array[] = [];
    let bytes = 0;
    try {
      for await (const chunk of stdout) {
        let from = 0;
        for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
          parts.push(chunk.subarray(from, at));
          bytes += at - from;
          from = at + 1;
          if (bytes <= this.#parts.bytesMax) this.#read(Buffer.concat(parts).toString("utf8"));
          if (bytes > this.#parts.bytesMax) break;
          [parts, bytes] = [[], 0];
        }
        parts.push(chunk.subarray(from));
        bytes += chunk.byteLength - from;
        if (bytes <= this.#parts.bytesMax) continue;
        this.#fail("TOO_LARGE", `the answer is longer than ${this.#parts.bytesMax} bytes`);
        break;
      }
    } catch (error) {
      this.onerror?.(new Error(messageOf(error)));
    }
    await this.close();
  }

  #read(line: string): void {
    if (line.trim() === "") return;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return; // Programs print greetings where they should not.
    }
    const answer = answerTo(value, (id) => this.#asked.delete(id));
    if (answer) this.onmessage?.(answer);
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const child = this.#child;
    if (!child || this.#closed) throw this.#fail("INCOMPLETE", "the program has ended");
    const id = requestId(message);
    if (id !== undefined) this.#asked.add(id);
    const withdrawn = cancelledId(message);
    if (withdrawn !== undefined) this.#asked.delete(withdrawn);
    try {
      await child.stdin.write(`${JSON.stringify(message)}\n`);
      await child.stdin.flush();
    } catch {
      throw this.#fail("INCOMPLETE", "the program reads no more");
    }
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  /** End of input first, as MCP has it; then SIGTERM, then SIGKILL. */
  async #end(): Promise<void> {
    const child = this.#child;
    this.#asked.clear();
    if (child) {
      await Promise.resolve(child.stdin.end()).catch(() => undefined);
      for (const signal of ["SIGTERM", "SIGKILL"] as const) {
        if (await this.#isGone(child)) break;
        child.kill(signal);
      }
      const code = await child.exited;
      const { log } = this.#parts;
      log.debug("mcp.server_ended", { server: this.#name, code, stderr: this.#stderr });
    }
    this.onclose?.();
  }

  async #isGone(child: ChildProcess): Promise<boolean> {
    const late = new AbortController();
    const grace = this.#parts.clock.sleep(GRACE_MS, late.signal).then(
      () => false,
      () => false,
    );
    const gone = await Promise.race([child.exited.then(() => true), grace]);
    late.abort();
    return gone;
  }
}
