/** The rules of the house that a compiler does not check; CONTRIBUTING.md gives their reasons. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const ROOT = join(import.meta.dir, "..");
const ALL = ["core", "a2a", "streams", "mcp", "alarms", "agents", "bridge", "sim", "deploy", "cli"];

/** Which folders' `mod.ts` a folder may import. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  a2a: ["core"],
  streams: ["core"],
  mcp: ["core", "streams"],
  alarms: ["core"],
  agents: ["core", "a2a", "streams", "alarms"],
  bridge: ["core", "a2a", "schemas"],
  sim: ["core", "streams"],
  deploy: ["core"],
  cli: [...ALL, "eval"],
  bench: ALL,
  eval: ALL,
  tests: ALL,
};

interface Call {
  readonly pattern: RegExp;
  readonly allowedIn: RegExp;
  readonly reason: string;
  /** Scripts run by hand may do it. */
  readonly isForScripts?: boolean;
}

const BANNED_CALLS: readonly Call[] = [
  {
    pattern: /\bDate\.now\b|\bnew Date\(\)/,
    allowedIn: /^(core\/(clock|log)\.ts|(bench|tests|deploy)\/.*)$/,
    reason: "time is passed in as a Clock, so that a test can move it",
  },
  {
    pattern: /\bgetNumTokens\b/,
    allowedIn: /^tests\/house\.test\.ts$/,
    reason: "it fetches a table from the network, and counts for another model",
  },
  {
    pattern: /\bconsole\.\w+\(/,
    allowedIn: /^(cli|bench|eval|deploy|tests)\//,
    reason: "a library writes through the Logger it is given",
    isForScripts: true,
  },
];

interface Source {
  /** Relative to the root, such as `core/ids.ts`. */
  readonly path: string;
  readonly text: string;
  /** What it imports of ours, relative to the root; type imports too. */
  readonly imports: readonly string[];
}

const transpiler = new Bun.Transpiler({ loader: "ts" });

/** The scanner passes over imports of types; without the word `type` they are imports like any other. */
function withoutTypeKeyword(text: string): string {
  return text
    .replace(/^#!.*/, "")
    .replace(/^(import|export) type (?=[{*]|\w+ from )/gm, "$1 ")
    .replace(/([{,]\s*)type (?=\w+[\s,}])/g, "$1");
}

/** Strings stay; what stands in comments is no code. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

function importsOf(path: string, text: string): string[] {
  const scanned = transpiler.scanImports(withoutTypeKeyword(text)).map((found) => found.path);
  const typesInline = [...text.matchAll(/\bimport\("(\.[^"]+)"\)/g)].map(
    ([, found]) => found ?? "",
  );
  const ours = [...scanned, ...typesInline].filter((found) => found.startsWith("."));
  return [...new Set(ours)].map((found) => relative(ROOT, join(ROOT, dirname(path), found)));
}

async function readSources(): Promise<readonly Source[]> {
  const folders = Object.keys(MAY_IMPORT).filter((folder) => existsSync(join(ROOT, folder)));
  const glob = new Bun.Glob(`{${folders.join(",")}}/**/*.ts`);
  const paths = await Array.fromAsync(glob.scan({ cwd: ROOT }));
  const read = paths.sort().map(async (path) => {
    const text = await Bun.file(join(ROOT, path)).text();
    return { path, text, imports: importsOf(path, text) };
  });
  return Promise.all(read);
}

const sources = await readSources();

function folderOf(path: string): string {
  return path.split("/")[0] ?? "";
}

/** A test may look inside the folder it mirrors: tests/core/ into core/. Helpers are not tests. */
function mirrors(path: string, target: string): boolean {
  return path.startsWith(`tests/${folderOf(target)}/`);
}

test("a folder imports only the folders it may", () => {
  const broken = sources.flatMap(({ path, imports }) => {
    const from = folderOf(path);
    return imports
      .filter((target) => folderOf(target) !== from)
      .filter((target) => !(MAY_IMPORT[from] ?? []).includes(folderOf(target)))
      .filter((target) => !mirrors(path, target) && target !== "package.json")
      .map((target) => `${path} imports ${target}: ${from}/ may import ${allowed(from)}`);
  });
  expect(broken).toEqual([]);
});

function allowed(folder: string): string {
  return (MAY_IMPORT[folder] ?? []).join(", ") || "nothing of ours";
}

test("across folders only mod.ts is imported", () => {
  const broken = sources.flatMap(({ path, imports }) =>
    imports
      .filter((target) => folderOf(target) !== folderOf(path) && !mirrors(path, target))
      .filter((target) => target.endsWith(".ts") && !isPublic(target))
      .map((target) => `${path} imports ${target}: a folder's public names stand in its mod.ts`),
  );
  expect(broken).toEqual([]);
});

/** `mod.ts`, also of a folder within: agents/splunk/mod.ts is one agent's. */
function isPublic(target: string): boolean {
  return target.endsWith("/mod.ts");
}

test("every import names a file that is there", () => {
  const broken = sources.flatMap(({ path, imports }) =>
    imports
      .filter((target) => !existsSync(join(ROOT, target)))
      .map((target) => `${path} imports ${target}, which is not a file: write the name in full`),
  );
  expect(broken).toEqual([]);
});

test("public names are listed one by one", () => {
  const broken = sources
    .filter(({ text }) => /^export \*(?! as limits )/m.test(text))
    .map(({ path }) => `${path} has "export *": a reader has to see what is public`);
  expect(broken).toEqual([]);
});

test("calls that break a promise of the design are not made", () => {
  const broken = sources.flatMap(({ path, text }) => {
    const code = withoutComments(text);
    return BANNED_CALLS.filter(({ pattern }) => pattern.test(code))
      .filter(({ allowedIn }) => !allowedIn.test(path))
      .filter(({ isForScripts }) => !(isForScripts && isScript(text)))
      .map(({ pattern, reason }) => `${path} calls ${pattern.source}: ${reason}`);
  });
  expect(broken).toEqual([]);
});

/** A script that is run by hand, wherever it lies. */
function isScript(text: string): boolean {
  return text.includes("import.meta.main");
}

const ENTRIES =
  /^(cli\/main|bench\/[\w-]+|eval\/main|deploy\/(tools|run-tests)|tests\/support\/preload|tests\/chaos\/(tasks\/(main|replica)|alarms\/main))\.ts$/;

/** Where a run begins: a command, a test, a script. A declaration file is the compiler's alone. */
function isEntry({ path, text }: Source): boolean {
  return (
    ENTRIES.test(path) || path.endsWith(".test.ts") || path.endsWith(".d.ts") || isScript(text)
  );
}

/** Files that no run reaches. */
function unreachable(files: readonly Source[]): string[] {
  const byPath = new Map(files.map((source) => [source.path, source]));
  const reached = new Set<string>();
  const waiting = files.filter(isEntry).map(({ path }) => path);
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    waiting.push(...(byPath.get(path)?.imports ?? []));
  }
  return files.map(({ path }) => path).filter((path) => !reached.has(path));
}

/** Until the command wires the folders together, nothing can be said about them. */
const isWired = existsSync(join(ROOT, "cli/main.ts"));

test.skipIf(!isWired)("no module is dead", () => {
  const dead = unreachable(sources).map((path) => `${path} is imported by nothing that runs`);
  expect(dead).toEqual([]);
});

test("the rules themselves see what they forbid", () => {
  expect(importsOf("core/x.ts", 'import type { A } from "../a2a/mod.ts";')).toEqual(["a2a/mod.ts"]);
  expect(importsOf("core/x.ts", 'import { type A } from "./y.ts";')).toEqual(["core/y.ts"]);
  expect(importsOf("core/x.ts", 'export type { A } from "./y.ts";')).toEqual(["core/y.ts"]);
  expect(importsOf("core/x.ts", "const y = await import('../cli/z.ts');")).toEqual(["cli/z.ts"]);
  expect(withoutComments("a(); // Date.now()\n/* console.log() */")).not.toContain("Date");
  const orphan = { path: "core/orphan.ts", text: "", imports: [] };
  expect(unreachable([orphan])).toEqual(["core/orphan.ts"]);
});
