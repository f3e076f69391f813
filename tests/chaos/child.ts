/** A child process of a run: its log in a file, its standard error heard line by line, never left behind. */
import { appendFileSync } from "node:fs";

const LINES_KEPT = 20;
const living = new Set<Bun.Subprocess>();

/** A run that is cut short takes its children along. */
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

export interface SpawnOptions {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Gets every line of standard error. */
  readonly logFile: string;
  readonly onLine: (line: string) => void;
}

export class Child {
  readonly pid: number;
  /** Of the process, once it is gone. */
  readonly exited: Promise<number>;
  readonly #process: Bun.Subprocess<"pipe", "ignore", "pipe">;
  readonly #lines: string[] = [];
  #isKilled = false;

  constructor(options: SpawnOptions) {
    this.#process = Bun.spawn([...options.command], {
      stdin: "pipe",
      stdout: "ignore",
      stderr: "pipe",
      env: { ...process.env, ...options.env },
    });
    this.pid = this.#process.pid;
    living.add(this.#process);
    const heard = this.#listen(options);
    this.exited = this.#process.exited.then(async (code) => {
      living.delete(this.#process);
      await heard;
      return code;
    });
  }

  /** True when we killed it: its end says nothing. */
  get isKilled(): boolean {
    return this.#isKilled;
  }

  get lastLines(): string {
    return this.#lines.join("\n");
  }

  tell(line: string): void {
    try {
      void this.#process.stdin.write(`${line}\n`);
      void this.#process.stdin.flush();
    } catch {
      // It is dying.
    }
  }

  async kill9(): Promise<void> {
    this.#isKilled = true;
    this.#process.kill("SIGKILL");
    await this.#process.exited;
  }

  /** Holds the process where it is until `goOn`: it does not know that time passes. */
  pause(): void {
    this.#process.kill("SIGSTOP");
  }

  goOn(): void {
    this.#process.kill("SIGCONT");
  }

  terminate(): void {
    this.#process.kill("SIGTERM");
  }

  async #listen({ logFile, onLine }: SpawnOptions): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of this.#process.stderr) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        this.#lines.push(line);
        if (this.#lines.length > LINES_KEPT) this.#lines.shift();
        appendFileSync(logFile, `${this.pid} ${line}\n`);
        onLine(line);
      }
    }
  }
}
