/** A replica of an agent that a test kills: `<url> <name>`, its name being its password too. */
import { silentLogger } from "../../core/mod.ts";
import { openMesh } from "../a2a/echo.ts";
import { workerAs } from "./permitted.ts";

if (import.meta.main) {
  const [url = "", name = ""] = process.argv.slice(2);
  const mesh = await openMesh(url, name, { user: name, password: name, log: silentLogger });
  await mesh.serve(workerAs(name));
  console.error(`serving as ${mesh.instance}`);
}
