/** The processes of a run that are killed and started again, as a supervisor does: agents, and bridges. */
import { join } from "node:path";
import { systemClock } from "../../core/mod.ts";
import { Child } from "./child.ts";

const ROOT = join(import.meta.dir, "../..");
/** A process that ended by itself is started again after this. */
const AGAIN_MS = 250;

export class Crew {
  readonly #children: Child[] = [];
  #isEnding = false;
  /** Ends that nobody had asked for, with the last words. */
  readonly surprises: string[] = [];

  /** Starts a process, and again whenever it is gone. */
  add(start: () => Child): void {
    void this.#supervise(this.#children.push(start()) - 1, start);
  }

  get children(): readonly Child[] {
    return this.#children;
  }

  /** Asks all to end in order; resolves with what those said that did not. */
  async end(ask: (child: Child) => void, timeoutMs: number): Promise<readonly string[]> {
    this.#isEnding = true;
    const failed: string[] = [];
    await Promise.all(
      this.#children.map(async (child) => {
        ask(child);
        const late = new AbortController();
        const timedOut = systemClock.sleep(timeoutMs, late.signal).catch(() => {});
        const code = await Promise.race([child.exited, timedOut]);
        late.abort();
        if (code !== 0)
          failed.push(`${code ?? `did not end in ${timeoutMs} ms`}: ${child.lastLines}`);
        if (code === undefined) await child.kill9();
      }),
    );
    return failed;
  }

  async #supervise(index: number, start: () => Child): Promise<void> {
    for (let child = this.#children[index]; child; child = this.#children[index]) {
      const code = await child.exited;
      if (this.#isEnding) return;
      if (!child.isKilled) {
        this.surprises.push(`status ${code}: ${child.lastLines}`);
        await systemClock.sleep(AGAIN_MS);
        if (this.#isEnding) return;
      }
      this.#children[index] = start();
    }
  }
}

interface Place {
  readonly dir: string;
  readonly natsUrl: string;
}

/** Processes of agent.ts. */
export class Agents extends Crew {
  readonly #ready = new Set<Child>();
  #pace = 0;

  /** One process for each clock, which is so many milliseconds off. */
  constructor(
    role: "caller" | "server",
    skewsMs: readonly number[],
    place: Place,
    random: () => number,
  ) {
    super();
    for (const skewMs of skewsMs)
      this.add(() => this.#start(role, place, Math.floor(random() * 2 ** 32), skewMs));
  }

  get areReady(): boolean {
    return this.children.every((child) => this.#ready.has(child));
  }

  /** Calls a second, of all callers together. */
  set pace(perSecond: number) {
    if (perSecond === this.#pace) return;
    this.#pace = perSecond;
    for (const child of this.children) this.#tellPace(child);
  }

  stop(timeoutMs: number): Promise<readonly string[]> {
    return this.end((child) => child.tell("stop"), timeoutMs);
  }

  #start(role: string, { dir, natsUrl }: Place, seed: number, skewMs: number): Child {
    const script = join(import.meta.dir, "agent.ts");
    const child: Child = new Child({
      command: [process.execPath, script, role, natsUrl, dir, String(seed), String(skewMs)],
      logFile: join(dir, `${role}.log`),
      onLine: (line) => {
        if (line !== "ready") return;
        this.#ready.add(child);
        this.#tellPace(child);
      },
    });
    return child;
  }

  #tellPace(child: Child): void {
    child.tell(`pace ${Math.ceil(this.#pace / this.children.length)}`);
  }
}

/** What a bridge logs when it begins to carry, and when it does no more. */
const CARRIES = /"event":"bridge\.(?:begins|resumed)"/;
const STOPS = /"event":"(?:bridge\.restart|lease\.lost)"/;

/** Processes of `petrel up --role bridge`. */
export class Bridges extends Crew {
  #carrying: Child | undefined;
  /** How often one of them began to carry, and how often a session of one ended in an error. */
  starts = 0;
  restarts = 0;

  constructor(count: number, dir: string, petrel: string | undefined) {
    super();
    for (let index = 0; index < count; index++) this.add(() => this.#start(dir, petrel));
  }

  /** The one that is at work. */
  get carrying(): Child | undefined {
    return this.#carrying?.isKilled ? undefined : this.#carrying;
  }

  stop(timeoutMs: number): Promise<readonly string[]> {
    return this.end((child) => child.terminate(), timeoutMs);
  }

  #start(dir: string, petrel: string | undefined): Child {
    const program = petrel === undefined ? [process.execPath, join(ROOT, "cli/main.ts")] : [petrel];
    const child: Child = new Child({
      command: [...program, "up", "--role", "bridge"],
      env: { PETREL_CONFIG: join(dir, "petrel.yaml") },
      logFile: join(dir, "bridge.log"),
      onLine: (line) => this.#heard(child, line),
    });
    return child;
  }

  #heard(child: Child, line: string): void {
    if (CARRIES.test(line)) {
      this.#carrying = child;
      this.starts++;
    } else if (STOPS.test(line)) {
      this.restarts++;
      if (this.#carrying === child) this.#carrying = undefined;
    }
  }
}
