/** The petrel command as a process of a run: the bridge until the stream is carried, and the verifier. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import {
  decodeLedger,
  type KafkaReader,
  type LedgerEntry,
  ledgerTopicOf,
} from "../../bridge/mod.ts";
import { PetrelError, systemClock } from "../../core/mod.ts";
import { stopWithin } from "../../deploy/mod.ts";
import { peakMegabytesOf } from "../memory.ts";

const MAIN = join(import.meta.dir, "../../cli/main.ts");
const CARRY_TIMEOUT_MS = 180_000;
const VERIFY_TIMEOUT_MS = 300_000;
const POLL_MS = 250;
const STOP_GRACE_MS = 15_000;
/** `getconf CLK_TCK`: the same on every Linux that runs today. */
const TICKS_PER_SECOND = 100;

/** What a process took. */
export interface Took {
  readonly peakMegabytes: number;
  /** Processor time of the process, user and system. NaN where the system does not say. */
  readonly cpuMicros: number;
}

/**
 * Runs `petrel up --role bridge` until its ledger says that `nextSeq` is next, then stops it. Throws
 * INTERNAL when it ends before, DEADLINE_EXCEEDED.
 */
export async function runBridge(
  config: string,
  until: { readonly prefix: string; readonly nextSeq: number; readonly reader: KafkaReader },
  signal: AbortSignal,
): Promise<Took> {
  const child = Bun.spawn([process.execPath, MAIN, "up", "--role", "bridge", "--config", config], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "inherit",
    signal,
    killSignal: "SIGKILL",
  });
  try {
    const deadlineMs = performance.now() + CARRY_TIMEOUT_MS;
    while (((await lastEntry(until, signal))?.nextSeq ?? 0) < until.nextSeq) {
      if (child.exitCode !== null)
        throw new PetrelError("INTERNAL", `petrel up ended with exit code ${child.exitCode}`);
      if (performance.now() > deadlineMs)
        throw new PetrelError("DEADLINE_EXCEEDED", "petrel up: the stream is not carried");
      await systemClock.sleep(POLL_MS, signal);
    }
    return { peakMegabytes: await peakMegabytesOf(child.pid), cpuMicros: await cpuOf(child.pid) };
  } finally {
    await stopWithin(child, STOP_GRACE_MS);
  }
}

/** The last ledger entry; undefined before the first, and before there is a ledger. */
async function lastEntry(
  { prefix, reader }: { readonly prefix: string; readonly reader: KafkaReader },
  signal: AbortSignal,
): Promise<LedgerEntry | undefined> {
  const record = await reader.lastRecord(ledgerTopicOf({ prefix }), 0, signal).catch(() => {
    signal.throwIfAborted();
    return undefined;
  });
  return record && decodeLedger(record.value, "ledger");
}

/** Source: proc(5), /proc/<pid>/stat, fields 14 and 15. */
async function cpuOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1e6;
}

const Verified = z.object({
  isIntact: z.boolean(),
  signed: z.boolean(),
  reports: z.array(z.object({ size: z.number(), matched: z.number(), provenTo: z.number() })),
});

/** Runs `petrel audit verify`. Throws INTERNAL unless it finds `records` records, every one its leaf. */
export async function runVerify(
  config: string,
  keyring: string,
  records: number,
  signal: AbortSignal,
): Promise<{ readonly seconds: number; readonly peakMegabytes: number }> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(VERIFY_TIMEOUT_MS)]);
  const startMs = performance.now();
  const child = Bun.spawn(
    [process.execPath, MAIN, "audit", "verify", "--json", "--keys", keyring, "--config", config],
    { stdin: "ignore", stdout: "pipe", stderr: "inherit", signal: limit, killSignal: "SIGKILL" },
  );
  const text = await new Response(child.stdout).text();
  const code = await child.exited;
  const seconds = (performance.now() - startMs) / 1_000;
  const { isIntact, signed, reports } = Verified.parse(JSON.parse(text));
  const [report, ...others] = reports;
  const isWhole = report?.size === records && report.matched === records && report.provenTo > 0;
  if (code !== 0 || !isIntact || !signed || !isWhole || others.length > 0)
    throw new PetrelError("INTERNAL", `petrel audit verify: ${text.slice(0, 500)}`, { records });
  return { seconds, peakMegabytes: (child.resourceUsage()?.maxRSS ?? Number.NaN) / 1e6 };
}
