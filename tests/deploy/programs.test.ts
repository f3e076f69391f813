import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { compareVersions, parseVersion } from "../../deploy/programs/catalogue.ts";
import { findProgram } from "../../deploy/programs/find.ts";
import { buildWithGo } from "../../deploy/programs/go.ts";
import { platform, type ReleasePin } from "../../deploy/programs/pins.ts";
import { fetchRelease } from "../../deploy/programs/release.ts";
import { run } from "../../deploy/programs/run.ts";
import type { WayContext } from "../../deploy/programs/way.ts";

const SEED = Number(process.env.PETREL_TEST_SEED);

/** A folder for one test, gone at the end of the block. */
async function tempDir(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), "petrel-deploy-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

async function contextIn(dir: string, signal = new AbortController().signal): Promise<WayContext> {
  const outDir = join(dir, "out");
  await mkdir(outDir);
  return { packageName: "nats-server", workDir: dir, outDir, onProgress: () => {}, signal };
}

/** An archive of the shape of a nats-server release, and its checksum. */
async function makeArchive(dir: string): Promise<{ bytes: Uint8Array; sha256: string }> {
  await mkdir(join(dir, "release/nats-server-v9.9.9"), { recursive: true });
  await writeFile(join(dir, "release/nats-server-v9.9.9/nats-server"), "#!/bin/sh\necho v9.9.9\n");
  const file = join(dir, "made.tar.gz");
  await run(["tar", "-czf", file, "-C", join(dir, "release"), "."], { timeoutMs: 10_000 });
  const bytes = await Bun.file(file).bytes();
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
}

function pinOf(url: URL, sha256: string): ReleasePin {
  return { version: "9.9.9", archives: { [platform()]: { url: `${url.href}a.tar.gz`, sha256 } } };
}

test("versions are read from what the programs really print", () => {
  expect(parseVersion("nats-server: v2.15.1\n")).toBe("2.15.1");
  expect(parseVersion("prometheus, version 2.42.0+ds (branch: debian/sid)")).toBe("2.42.0");
  expect(parseVersion("promtool, version 3.15.0 (branch: HEAD)")).toBe("3.15.0");
  expect(parseVersion("0.1.6\n")).toBe("0.1.6");
  expect(parseVersion("go1.26 linux/amd64")).toBeUndefined();
});

test("versions are ordered by number, not by letter", () => {
  const version = fc.array(fc.nat(40), { minLength: 3, maxLength: 3 });
  const property = fc.property(version, version, (a, b) => {
    const place = a.findIndex((part, i) => part !== b[i]);
    const expected = place === -1 ? 0 : Math.sign((a[place] ?? 0) - (b[place] ?? 0));
    expect(Math.sign(compareVersions(a.join("."), b.join(".")))).toBe(expected);
  });
  fc.assert(property, { seed: SEED });
});

test("a fetched program with a damaged receipt counts as not there", async () => {
  await using dir = await tempDir();
  const toolsDir = dir.path;
  await mkdir(join(toolsDir, "prometheus"));
  await writeFile(join(toolsDir, "prometheus/promtool"), "#!/bin/sh\n");
  await chmod(join(toolsDir, "prometheus/promtool"), 0o755);
  const receipt = join(toolsDir, "prometheus/receipt.json");
  const look = async () => (await findProgram("promtool", { toolsDir }))?.version;

  await writeFile(receipt, '{"version":"99.0.0","from":"a test"}');
  expect(await look()).toBe("99.0.0");
  await writeFile(receipt, '{"version":"2.1.0","from":"a test"}');
  expect(await look()).not.toBe("2.1.0");
  await writeFile(receipt, '{"version":');
  expect(await look()).not.toBe("99.0.0");
});

test("a release with the pinned checksum is unpacked", async () => {
  await using dir = await tempDir();
  const archive = await makeArchive(dir.path);
  using server = Bun.serve({ port: 0, fetch: () => new Response(archive.bytes) });
  const context = await contextIn(dir.path);
  const receipt = await fetchRelease(pinOf(server.url, archive.sha256), context);
  expect(receipt).toEqual({ version: "9.9.9", from: "GitHub release" });
  expect(await readdir(context.outDir)).toEqual(["nats-server"]);
});

test("a release with another checksum is refused before it is unpacked", async () => {
  await using dir = await tempDir();
  const archive = await makeArchive(dir.path);
  using server = Bun.serve({ port: 0, fetch: () => new Response(archive.bytes) });
  const context = await contextIn(dir.path);
  const pin = pinOf(server.url, "0".repeat(64));
  const failure: unknown = await fetchRelease(pin, context).catch((error) => error);
  expect(failure).toMatchObject({ code: "PROTOCOL_VIOLATION" });
  expect(String(failure)).toContain(archive.sha256);
  expect(await readdir(context.outDir)).toEqual([]);
});

test("a server that never answers, or stops halfway, is given up", async () => {
  for (const [body, word] of [
    [undefined, "no answer"],
    ["half an archive", "no byte"],
  ] as const) {
    await using dir = await tempDir();
    using server = Bun.serve({ port: 0, fetch: () => (body ? halfOf(body) : forever()) });
    const deadlines = { answerMs: 50, stallMs: 50, transferMs: 10_000 };
    const fetching = fetchRelease(pinOf(server.url, ""), await contextIn(dir.path), deadlines);
    const failure: unknown = await fetching.catch((error) => error);
    expect(failure).toMatchObject({ code: "DEADLINE_EXCEEDED" });
    expect(String(failure)).toContain(word);
  }
});

function forever(): Promise<Response> {
  return Promise.withResolvers<Response>().promise;
}

/** Sends `text` and then neither more nor an end. */
function halfOf(text: string): Response {
  const start = (controller: ReadableStreamDefaultController) => {
    controller.enqueue(new TextEncoder().encode(text));
  };
  return new Response(new ReadableStream({ start, pull: async () => void (await forever()) }));
}

test("a module that cannot be had is refused with a reason", async () => {
  await using dir = await tempDir();
  const pin = {
    version: "1.0.0",
    module: "petrel.invalid/none",
    mainPackage: ".",
    sum: "h1:",
  } as const;
  const context = await contextIn(dir.path, AbortSignal.timeout(5_000));
  const failure: unknown = await buildWithGo(pin, context).catch((error) => error);
  expect(failure).toMatchObject({ code: "UNAVAILABLE" });
});

test("a command that does not end is killed at its deadline", async () => {
  const result = await run(["sleep", "60"], { timeoutMs: 50 });
  expect(result).toMatchObject({ code: -1, reason: "not done in 0.05 s" });
  expect((await run(["no-such-program"], { timeoutMs: 50 })).code).toBe(-1);
});

/** Runs `code` in a process that sees no programs and no network; `toolsDir` is defined in it. */
async function inEmptyWorld(code: string, toolsDir: string): Promise<unknown> {
  const module = join(import.meta.dir, "../../deploy/mod.ts");
  const script = `
    import { ensureProgram } from ${JSON.stringify(module)};
    const toolsDir = ${JSON.stringify(toolsDir)};
    const failure = await (async () => { ${code} })().catch((error) => error);
    console.log(JSON.stringify(failure));`;
  const result = await run([process.execPath, "-e", script], {
    env: { PATH: toolsDir, HTTPS_PROXY: "http://127.0.0.1:1", HTTP_PROXY: "http://127.0.0.1:1" },
    timeoutMs: 30_000,
  });
  expect(result.reason).toBe("");
  return JSON.parse(result.stdout);
}

test("when every way fails, one error names each with its reason", async () => {
  await using dir = await tempDir();
  const failure = await inEmptyWorld(`await ensureProgram("nats-server", { toolsDir });`, dir.path);
  expect(failure).toMatchObject({ code: "PROGRAM_MISSING", fields: { name: "nats-server" } });
  const text = JSON.stringify(failure);
  for (const way of ["PATH: not there", "GitHub release", "go build", "Debian", "Install"]) {
    expect(text).toContain(way);
  }
  expect(await readdir(dir.path)).toEqual([]);
});

test("what runs on Java says which Java is missing before anything is fetched", async () => {
  await using dir = await tempDir();
  const failure = await inEmptyWorld(`await ensureProgram("kafka", { toolsDir });`, dir.path);
  expect(failure).toMatchObject({ code: "PROGRAM_MISSING", fields: { name: "java" } });
  expect(JSON.stringify(failure)).toContain("kafka needs Java 17 or newer");
  expect(await readdir(dir.path)).toEqual([]);
});

test("a fetch that is cancelled says so and leaves nothing", async () => {
  await using dir = await tempDir();
  const failure = await inEmptyWorld(
    `const stop = new AbortController();
     const onProgress = () => stop.abort();
     await ensureProgram("nats", { toolsDir, signal: stop.signal, onProgress });`,
    dir.path,
  );
  expect(failure).toMatchObject({ code: "CANCELLED" });
  expect(await readdir(dir.path)).toEqual([]);
});
