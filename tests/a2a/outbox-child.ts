/**
 * A process that reports records until it is killed: `<url> <dir> <prefix> <from>`. It says how many
 * {@link report} has taken; what it says is in its journal.
 */
import { Mesh } from "../../a2a/mod.ts";
import { silentLogger } from "../../core/mod.ts";
import { record } from "../support/audit-records.ts";

if (import.meta.main) {
  const [url = "", outboxDir = "", prefix = ""] = process.argv.slice(2);
  const mesh = await Mesh.open({ servers: [url], name: "crash", log: silentLogger, outboxDir });
  for (let nth = 0; ; nth++) {
    await mesh.outbox.report(
      record(`${prefix}.${nth}`, "caller", `body ${nth} ${"x".repeat(200)}`),
    );
    if (nth % 50 === 49) {
      process.stdout.write(`${nth + 1}\n`);
      await Bun.sleep(1);
    }
  }
}
