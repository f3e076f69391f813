/** Files that the audit commands read and write. Nothing that is there is ever overwritten. */
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { z } from "zod";
import type { PlacedNote } from "../../bridge/mod.ts";
import { messageOf, newId, PetrelError } from "../../core/mod.ts";

/** Reads a small text. Throws USAGE naming the option. */
export async function readText(file: string, option: string): Promise<string> {
  return readFile(file, "utf8").catch((error: unknown) => {
    throw unreadable(file, option, error);
  });
}

const CheckpointLine = z.object({ tree: z.string(), note: z.string() });

/** The checkpoints of a tree in a file that the bridge wrote; a line that is none is passed on as it is. */
export async function* checkpointsIn(
  file: string,
  tree: string,
): AsyncGenerator<PlacedNote, void, undefined> {
  const handle = await open(file, "r").catch((error: unknown) => {
    throw unreadable(file, "--checkpoints", error);
  });
  const lines = createInterface({ input: createReadStream("", { fd: handle }) });
  let number = 0;
  for await (const line of lines) {
    const place = `${file}:${++number}`;
    const read = CheckpointLine.safeParse(parsed(line));
    if (!read.success) yield { note: line, place };
    else if (read.data.tree === tree) yield { note: read.data.note, place };
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** Somewhere text goes, a piece at a time. */
export interface TextOut {
  write(text: string): Promise<void>;
  close(): Promise<void>;
  /** Takes back what was written, where that can be done. */
  undo(): Promise<void>;
}

/** A new file, or standard output. Throws USAGE when the file is there already. */
export async function textOut(file: string | undefined): Promise<TextOut> {
  if (file === undefined) return standardOut();
  const handle = await open(file, "wx", 0o644).catch((error: unknown) => {
    throw unwritable(file, error);
  });
  return {
    write: async (text) => void (await handle.write(text)),
    close: async () => {
      await handle.sync();
      await handle.close();
    },
    undo: async () => {
      await handle.close();
      await rm(file, { force: true });
    },
  };
}

function standardOut(): TextOut {
  return {
    write: async (text) => {
      if (!process.stdout.write(text)) await once(process.stdout, "drain");
    },
    close: async () => {},
    undo: async () => {},
  };
}

/** Replaces a file in one step: a reader finds the old text or the new one. */
export async function replaceText(file: string, text: string): Promise<void> {
  const beside = `${file}.${newId()}`;
  try {
    await writeFile(beside, text, { flag: "wx", mode: 0o644 });
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    throw unwritable(file, error);
  }
}

/** Writes a new file with this mode. Throws USAGE when it is there already. */
export async function createFile(
  file: string,
  data: string | Uint8Array,
  mode: number,
): Promise<void> {
  await writeFile(file, data, { flag: "wx", mode }).catch((error: unknown) => {
    throw unwritable(file, error);
  });
}

function unreadable(file: string, option: string, error: unknown): PetrelError {
  return new PetrelError("USAGE", `${option} ${file}: ${messageOf(error, 200)}`, { path: option });
}

function unwritable(file: string, error: unknown): PetrelError {
  const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
  const why = isThere ? "it is there already, and nothing is overwritten" : messageOf(error, 200);
  return new PetrelError("USAGE", `${file}: ${why}`, { file });
}
