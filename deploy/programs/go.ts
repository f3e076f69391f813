/**
 * Builds a package from its Go module. The module is fetched first and its checksum compared with the
 * pinned one; it is then built inside its own folder, so that its own go.sum and go.mod decide what
 * else goes in. (`go install module@version` would refuse modules with replace directives, and asks
 * the proxy for a list of versions, which not every proxy gives.)
 */
import { basename, join } from "node:path";
import { PetrelError } from "../../core/mod.ts";
import type { Receipt } from "./find.ts";
import type { ModulePin } from "./pins.ts";
import { run } from "./run.ts";
import type { WayContext } from "./way.ts";

const DOWNLOAD_TIMEOUT_MS = 60_000;
const BUILD_TIMEOUT_MS = 600_000;

export interface GoContext extends Omit<WayContext, "packageName"> {
  /** The executable's name. */
  readonly packageName: string;
}

/** Puts the package's one executable into `context.outDir`. Rejects with the reason it could not. */
export async function buildWithGo(pin: ModulePin, context: GoContext): Promise<Receipt> {
  if (Bun.which("go") === null) throw new PetrelError("UNAVAILABLE", "go is not on the PATH");
  const goPath = join(context.workDir, "go");
  const env = {
    ...process.env,
    GOPATH: goPath,
    GOMODCACHE: join(goPath, "mod"),
    GOCACHE: join(goPath, "build"),
    GOFLAGS: "-modcacherw",
    CGO_ENABLED: "0",
  };
  const source = `${pin.module}@v${pin.version}`;
  context.onProgress("update", `fetching ${source}`);
  const fetched = await run(["go", "mod", "download", "-json", source], {
    env,
    cwd: context.workDir,
    timeoutMs: DOWNLOAD_TIMEOUT_MS,
    signal: context.signal,
  });
  const { sum, dir, error } = readDownload(fetched.stdout);
  if (fetched.code !== 0 || sum === undefined || dir === undefined) {
    throw new PetrelError("UNAVAILABLE", error ?? fetched.reason);
  }
  if (sum !== pin.sum) {
    throw new PetrelError(
      "PROTOCOL_VIOLATION",
      `the checksum of ${source} is ${sum}, not the pinned ${pin.sum}; it was not built`,
    );
  }
  const setVersion = pin.versionVariable ? ` -X ${pin.versionVariable}=${pin.version}` : "";
  const output = join(context.outDir, context.packageName);
  context.onProgress("update", `building ${basename(output)}`);
  const built = await run(
    ["go", "build", "-trimpath", "-ldflags", `-s -w${setVersion}`, "-o", output, pin.mainPackage],
    { env, cwd: dir, timeoutMs: BUILD_TIMEOUT_MS, signal: context.signal },
  );
  if (built.code !== 0) throw new PetrelError("UNAVAILABLE", built.reason);
  return { version: pin.version, from: "go build" };
}

/** Reads the object `go mod download -json` prints, on success and on failure. */
function readDownload(json: string): { sum?: string; dir?: string; error?: string } {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value !== "object" || value === null) return {};
    const field = (key: string) => {
      const found: unknown = Reflect.get(value, key);
      return typeof found === "string" && found !== "" ? found : undefined;
    };
    const [sum, dir, error] = [field("Sum"), field("Dir"), field("Error")];
    return {
      ...(sum === undefined ? {} : { sum }),
      ...(dir === undefined ? {} : { dir }),
      ...(error === undefined ? {} : { error: error.slice(0, 200) }),
    };
  } catch {
    return {};
  }
}
