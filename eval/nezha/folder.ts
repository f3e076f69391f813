/** Where Nezha's data lies. */
import { existsSync } from "node:fs";
import { join } from "node:path";

const NAMES = ["", "nezha-train-ticket", "nezha"];

/** The folder itself, or the data set inside it; undefined when neither has `faults.json`. */
export function nezhaFolder(dir: string): string | undefined {
  return NAMES.map((name) => join(dir, name)).find((one) => existsSync(join(one, "faults.json")));
}
