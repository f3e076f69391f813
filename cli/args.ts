/** Reads a command's words. Unknown options and missing values are USAGE errors that name them. */
import { type ParseArgsConfig, parseArgs } from "node:util";
import { type Config, loadConfig, messageOf, PetrelError } from "../core/mod.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;

export const CONFIG_OPTIONS = {
  config: { type: "string" },
  nats: { type: "string" },
} as const satisfies Options;

/** Options and positional words; options not in `options` are refused. */
export function readArgs<const T extends Options>(
  argv: readonly string[],
  options: T,
  positionalsMax = 0,
) {
  let parsed: ReturnType<typeof parseArgs<{ options: T; allowPositionals: true; args: string[] }>>;
  try {
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    throw new PetrelError("USAGE", messageOf(error), {}, error);
  }
  const extra = parsed.positionals[positionalsMax];
  if (extra !== undefined)
    throw new PetrelError("USAGE", `unexpected word "${extra.slice(0, 100)}"`);
  return parsed;
}

/** The configuration with the command line's own settings over it. */
export function configFrom(values: {
  config?: string | undefined;
  nats?: string | undefined;
}): Config {
  const config = loadConfig(values.config === undefined ? {} : { file: values.config });
  if (values.nats === undefined) return config;
  if (!/^(nats|tls|wss?):\/\/\S+$/.test(values.nats)) {
    throw new PetrelError("USAGE", `--nats "${values.nats.slice(0, 200)}" is not a NATS URL`, {
      path: "nats",
    });
  }
  return { ...config, nats: { ...config.nats, servers: [values.nats] } };
}
