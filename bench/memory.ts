/** Memory of a process in megabytes (10^6 bytes), as the kernel counts it. */
import { readFile } from "node:fs/promises";
import { run } from "../deploy/mod.ts";

const PS_TIMEOUT_MS = 5_000;

/** The most this process ever held. */
export async function peakMegabytes(): Promise<number> {
  const kilobytes = await fromStatus(process.pid, "VmHWM");
  return ((kilobytes ?? process.resourceUsage().maxRSS) * 1024) / 1e6;
}

/** The most a process that still runs ever held; where the system does not say, what it holds now. */
export async function peakMegabytesOf(pid: number): Promise<number> {
  const kilobytes = (await fromStatus(pid, "VmHWM")) ?? (await fromPs(pid));
  return (kilobytes * 1024) / 1e6;
}

/** What a process holds now. NaN when it is gone. */
export async function megabytesOf(pid: number): Promise<number> {
  const kilobytes = (await fromStatus(pid, "VmRSS")) ?? (await fromPs(pid));
  return (kilobytes * 1024) / 1e6;
}

/** A line of /proc/<pid>/status in kilobytes; undefined where there is none (other systems). */
async function fromStatus(pid: number, key: "VmHWM" | "VmRSS"): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const found = new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(text);
  return found?.[1] === undefined ? undefined : Number(found[1]);
}

async function fromPs(pid: number): Promise<number> {
  const { stdout } = await run(["ps", "-o", "rss=", "-p", String(pid)], {
    timeoutMs: PS_TIMEOUT_MS,
  });
  return Number(stdout.trim() || Number.NaN);
}
