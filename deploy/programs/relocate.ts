/**
 * Makes a program of Debian find its own files beside itself. Debian compiles their folder into some
 * executables as an absolute name, which only root can fill; here the name is replaced by one of the same
 * length that begins in the working folder, and a launcher goes there first.
 * Touches nothing outside the folder of the program.
 */
import { chmod, cp, readFile, rename, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { PetrelError } from "../../core/mod.ts";

/** As long as `/usr`; what follows is a folder beside the executable. */
const BESIDE = "././";
const ROOT = "/usr";

const LAUNCHER = `#!/bin/sh
# Goes where its files are. Names of other files have to be absolute.
cd "$(dirname "$0")" && exec ./NAME "$@"
`;

/**
 * Puts `folder` (below /usr) of the package in `unpackedDir` beside `executable`, and has it read from
 * there. Rejects with UNAVAILABLE where the executable does not name the folder.
 */
export async function relocate(
  executable: string,
  folder: string,
  unpackedDir: string,
): Promise<void> {
  const dir = join(executable, "..");
  const program = await readFile(executable);
  const name = Buffer.from(folder);
  const beside = Buffer.from(`${BESIDE}${folder.slice(ROOT.length)}`);
  let count = 0;
  for (let at = program.indexOf(name); at >= 0; at = program.indexOf(name, at + 1), count++) {
    beside.copy(program, at);
  }
  if (count === 0 || beside.length !== name.length) {
    throw new PetrelError("UNAVAILABLE", `${basename(executable)} does not look in ${folder}`);
  }
  const real = `${basename(executable)}.bin`;
  await cp(join(unpackedDir, folder), join(dir, folder.slice(ROOT.length)), { recursive: true });
  await writeFile(executable, program);
  await rename(executable, join(dir, real));
  await chmod(join(dir, real), 0o755);
  await writeFile(executable, LAUNCHER.replace("NAME", real));
}
