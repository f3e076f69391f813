import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lookForJava, parseJavaMajor } from "../../deploy/programs/java.ts";
import { KAFKA_JARS } from "../../deploy/programs/kafka-jars.ts";
import { fetchJars, fetchWithMvn, jarPath } from "../../deploy/programs/maven.ts";
import type { JarPin, MavenPin } from "../../deploy/programs/pins.ts";
import type { WayContext } from "../../deploy/programs/way.ts";

const TEXTS = Array.from({ length: 20 }, (_, i) => `jar ${i}`);

/** Twenty jars of a group of their own, with their true sums. */
function pinOf(change: (pin: JarPin, index: number) => JarPin = (pin) => pin): MavenPin {
  const jars = TEXTS.map((text, i): JarPin => {
    const sha256 = createHash("sha256").update(text).digest("hex");
    return [`org.example.petrel:part-${i}:1.${i}`, sha256, text.length];
  });
  return { version: "9.9.9", jars: jars.map(change), files: { launcher: "#!/bin/sh\n" } };
}

async function withContext(body: (context: WayContext) => Promise<void>): Promise<void> {
  const workDir = await mkdtemp(join(tmpdir(), "petrel-maven-"));
  const outDir = join(workDir, "out");
  await mkdir(outDir);
  const signal = new AbortController().signal;
  try {
    await body({ packageName: "kafka", workDir, outDir, onProgress: () => {}, signal });
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

/** A repository of the jars. */
function startRepository() {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => {
      const index = Number(
        /^\/org\/example\/petrel\/part-(\d+)\//.exec(new URL(request.url).pathname)?.[1],
      );
      const text = TEXTS[index];
      return text === undefined ? new Response("", { status: 404 }) : new Response(text);
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    stop: () => server.stop(true),
  };
}

test("a jar stands in a repository by its group, its name and its version", () => {
  expect(jarPath("org.apache.kafka:kafka_2.13:4.3.1")).toBe(
    "org/apache/kafka/kafka_2.13/4.3.1/kafka_2.13-4.3.1.jar",
  );
});

test("every jar of Kafka is pinned once, by a whole SHA-256", () => {
  const names = KAFKA_JARS.map(([coordinates]) => coordinates);
  expect(new Set(names).size).toBe(names.length);
  for (const [coordinates, sha256, bytes] of KAFKA_JARS) {
    expect(coordinates).toMatch(/^[\w.-]+:[\w.-]+:[\w.-]+$/);
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(bytes).toBeGreaterThan(1_000);
  }
});

test("all jars and the files beside them are there, or nothing is said to be", async () => {
  const repository = startRepository();
  try {
    await withContext(async (context) => {
      const receipt = await fetchJars(pinOf(), context, repository.url);
      expect(receipt).toEqual({ version: "9.9.9", from: "Maven Central" });
      expect((await readdir(join(context.outDir, "lib"))).length).toBe(TEXTS.length);
      expect(await readFile(join(context.outDir, "lib/part-7-1.7.jar"), "utf8")).toBe("jar 7");
      expect(await readFile(join(context.outDir, "launcher"), "utf8")).toBe("#!/bin/sh\n");
    });
    await withContext(async (context) => {
      const wrong = pinOf(([name, sum, size], i) => [name, i === 13 ? "0".repeat(64) : sum, size]);
      const failure: unknown = await fetchJars(wrong, context, repository.url).catch((e) => e);
      expect(failure).toMatchObject({ code: "PROTOCOL_VIOLATION" });
      expect(String(failure)).toContain("part-13-1.13.jar");
      expect(await readdir(context.outDir)).not.toContain("launcher");
    });
    await withContext(async (context) => {
      const absent = pinOf((pin, i) => (i === 4 ? ["org.example.petrel:none:1", pin[1], 1] : pin));
      const failure: unknown = await fetchJars(absent, context, repository.url).catch((e) => e);
      expect(failure).toMatchObject({ code: "UNAVAILABLE", message: "HTTP 404" });
    });
  } finally {
    await repository.stop();
  }
});

/** A stand-in for mvn that puts `text` where Maven would put each jar of the project it is given. */
async function withMvn(text: string, body: (mvn: string) => Promise<void>): Promise<void> {
  const bin = await mkdtemp(join(tmpdir(), "petrel-mvn-"));
  const script = `#!${process.execPath}
const value = (name) => process.argv.find((arg) => arg.startsWith(name))?.slice(name.length);
const pom = await Bun.file(process.argv[process.argv.indexOf("-f") + 1]).text();
const wanted = pom.matchAll(/<dependency><groupId>(.*?)<.*?<artifactId>(.*?)<.*?<version>(.*?)</g);
for (const [, group, name, version] of wanted) {
  const folder = [value("-DoutputDirectory="), ...group.split("."), name, version].join("/");
  await Bun.write(folder + "/" + name + "-" + version + ".jar", ${text});
}
`;
  await writeFile(join(bin, "mvn"), script);
  await chmod(join(bin, "mvn"), 0o755);
  try {
    await body(join(bin, "mvn"));
  } finally {
    await rm(bin, { recursive: true, force: true });
  }
}

test("the machine's own mvn brings the same files, and the pinned sums decide", async () => {
  await withMvn('"jar " + name.slice(5)', (mvn) =>
    withContext(async (context) => {
      expect(await fetchWithMvn(pinOf(), context, mvn)).toEqual({
        version: "9.9.9",
        from: "Maven",
      });
      expect(await readFile(join(context.outDir, "lib/part-7-1.7.jar"), "utf8")).toBe("jar 7");
    }),
  );
  await withMvn('"another " + name', (mvn) =>
    withContext(async (context) => {
      const failure: unknown = await fetchWithMvn(pinOf(), context, mvn).catch((e) => e);
      expect(failure).toMatchObject({ code: "PROTOCOL_VIOLATION" });
    }),
  );
});

test("the version of Java is read from what Javas really print", () => {
  expect(parseJavaMajor('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime')).toBe(17);
  expect(parseJavaMajor('java version "1.8.0_401"\nJava(TM) SE')).toBe(8);
  expect(parseJavaMajor('openjdk version "25" 2025-09-16 LTS')).toBe(25);
  expect(parseJavaMajor("command not found")).toBeUndefined();
});

test("JAVA_HOME decides, and a Java that is too old is named with its place", async () => {
  const home = await mkdtemp(join(tmpdir(), "petrel-java-"));
  try {
    await mkdir(join(home, "bin"));
    const java = join(home, "bin/java");
    await writeFile(java, `#!/bin/sh\necho 'openjdk version "11.0.2" 2019-01-15' >&2\n`);
    await chmod(java, 0o755);
    const env = { JAVA_HOME: home, PATH: process.env.PATH };
    expect(await lookForJava(17, env)).toEqual({ reason: `${java} is Java 11` });
    expect(await lookForJava(11, env)).toEqual({ path: java, reason: "" });
    expect((await lookForJava(17, { PATH: "/none" })).reason).toContain("no java on the PATH");
  } finally {
    await rm(home, { recursive: true, force: true });
  }
});
