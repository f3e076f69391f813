/** `petrel version`. */
import { VERSION } from "../version.ts";

export async function run(): Promise<number> {
  process.stdout.write(`petrel ${VERSION} (bun ${Bun.version})\n`);
  return 0;
}
