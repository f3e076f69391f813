/**
 * A process that may be killed at any moment: writes numbered records until there are enough, each time
 * going on from the last committed ledger, and from what a half-ended transaction left. Arguments: brokers, topic, partitions, ledger topic, records in
 * all, records a batch. Prints a line per commit; ends with status 0 when done.
 */
import { KafkaReader } from "../../../bridge/kafka/reader.ts";
import { KafkaSink } from "../../../bridge/kafka/sink.ts";
import { writtenBeyond } from "../../../bridge/trail.ts";
import { systemClock } from "../../../core/mod.ts";
import { clientOf, ledgerOf, recordsOf, TREE } from "./support.ts";

const TIMEOUT_MS = 3_000;
const AGAIN_MS = 100;

if (import.meta.main) {
  const [brokers = "", topic = "", partitions = "", ledger = "", total = "", size = ""] =
    process.argv.slice(2);
  const client = await clientOf(brokers.split(","), TIMEOUT_MS);
  const topics = new Map([
    [topic, Number(partitions)],
    [ledger, 1],
  ]);
  const { signal } = new AbortController();
  for (let next = 0; next < Number(total); ) {
    const sink = new KafkaSink({ client, transactionalId: topic, topics });
    const reader = new KafkaReader({ client, patienceMs: TIMEOUT_MS });
    try {
      await sink.open(signal);
      const last = await reader.lastRecord(ledger, 0, signal);
      next = last === undefined ? 0 : JSON.parse(last.value.toString()).next;
      const beyond = { tree: TREE, size: next };
      const written = await writtenBeyond(reader, [topic], beyond, signal);
      while (next < Number(total)) {
        const records = recordsOf(topic, next, Number(size));
        const missing = written ? records.filter((record) => !written.has(record)) : records;
        await sink.commit(
          { records: missing, ledger: ledgerOf(ledger, next + records.length) },
          signal,
        );
        next += records.length;
        console.log(next);
      }
    } catch (error) {
      console.error(String(error));
      await systemClock.sleep(AGAIN_MS);
    } finally {
      await sink.close();
      await reader.close();
    }
  }
}
