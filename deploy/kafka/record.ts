/**
 * Records the classes a broker loads in an archive of the JVM (JEP 350), from which the next ones map
 * them: a start takes half the time and two thirds of the CPU. The archive knows its jars by their
 * paths, so that it is made where they stay. Another Java passes it over and starts as without it.
 */
import { mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { startCluster } from "./cluster.ts";
import { localKafka } from "./runner.ts";

const ARCHIVE = "classes.jsa";
/** Writing the archive is a part of the broker's end. */
const STOP_GRACE_MS = 120_000;

/** Puts the archive beside the launcher `kafka` of `dir`: starts a broker there and ends it. */
export async function recordClasses(dir: string, signal: AbortSignal): Promise<void> {
  const workDir = await mkdtemp(join(dir, "record-"));
  try {
    const archive = join(workDir, ARCHIVE);
    const cluster = await startCluster({
      runner: localKafka({ path: join(dir, "kafka") }, [`-XX:ArchiveClassesAtExit=${archive}`]),
      dir: workDir,
      signal,
    });
    await cluster.stop(STOP_GRACE_MS);
    await rename(archive, join(dir, ARCHIVE));
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}
