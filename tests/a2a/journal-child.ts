/** A process that works a small journal as fast as it can, until it is killed. Its records are numbered. */
import { Journal } from "../../a2a/audit/journal.ts";
import { DATA_AT } from "../../a2a/audit/layout.ts";
import { record } from "../support/audit-records.ts";

if (import.meta.main) {
  const path = process.argv[2] ?? "";
  const identity = { v: 1, host: "h", name: "me", instance: "i", shard: 0, sender: "s" } as const;
  const journal = Journal.create(path, { ...identity, servers: [] }, DATA_AT + 20_000);
  let sum = 12_345;
  const draw = (below: number) => (sum = (sum * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
  for (let nth = 0; ; ) {
    if (draw(3) > 0) {
      const body = `${nth} ${"x".repeat(draw(4_000))}`;
      if (journal.append(record(`r${nth}`, "caller", body))) nth++;
    } else if (journal.flight) journal.acknowledge();
    else journal.take("open");
    if (nth === 2_000) process.stdout.write("working\n");
  }
}
