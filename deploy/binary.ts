/**
 * Builds `dist/petrel`, one file that needs nothing else: `bun deploy/binary.ts` (`make binary`).
 *
 * The program is stored with its bytecode, so that `petrel up` need not parse it: that saves a third of
 * the time to its first answer, and weighs seven times as much as the source. The modules in RARE do not
 * earn that weight. Each is bundled by itself and lies in the binary as source; whoever imports it gets
 * it from there, at its first use. Such a module must be imported dynamically, and it has its own copy
 * of everything it imports: no class or state of ours may pass through it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { BunPlugin } from "bun";

/** LangChain, the MCP SDK and kafkajs, with all they import; no agent needs them to start. */
const RARE = ["@langchain/openai", "./mcp/server/sdk.ts", "./bridge/kafka/kafkajs-parts.ts"];
const ROOT = resolve(import.meta.dir, "..");
const ENTRY = join(ROOT, "cli/main.ts");
const OUTPUT = join(ROOT, "dist/petrel");
const COMMON = { target: "bun", format: "esm", minify: true } as const;

async function main(): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "petrel-binary-"));
  try {
    const stubs = new Map<string, string>();
    for (const name of RARE) {
      const module = Bun.resolveSync(name, ROOT);
      stubs.set(module, await bundle(module, dir));
    }
    await Bun.build({
      ...COMMON,
      entrypoints: [ENTRY],
      compile: { outfile: OUTPUT, autoloadDotenv: false, autoloadBunfig: false },
      bytecode: true,
      plugins: [inPlaceOf(stubs)],
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  console.log(`dist/petrel: ${(Bun.file(OUTPUT).size / 1e6).toFixed(1)} MB`);
}

/** Bundles a module into a file of `dir`. Resolves with the text of a module that loads that file. */
async function bundle(module: string, dir: string): Promise<string> {
  const naming = "[name]-[hash].[ext]"; // many a library's entry is called index.js
  const { outputs } = await Bun.build({ ...COMMON, entrypoints: [module], outdir: dir, naming });
  const [output] = outputs;
  if (!output) throw new Error(`${module}: the bundle is empty`);
  const { exports } = new Bun.Transpiler().scan(await output.text());
  return `import file from ${JSON.stringify(output.path)} with { type: "file" };
    export const { ${exports.join(", ")} } = await import(file);`;
}

/** Puts each stub in the place of its module. */
function inPlaceOf(stubs: ReadonlyMap<string, string>): BunPlugin {
  return {
    name: "rare-modules",
    setup(build) {
      build.onLoad({ filter: /\.[jt]s$/ }, ({ path }) => {
        const contents = stubs.get(path);
        return contents === undefined ? undefined : { contents, loader: "js" };
      });
    },
  };
}

if (import.meta.main) await main();
