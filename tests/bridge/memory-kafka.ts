/** A Kafka of one process's memory that keeps to what the bridge relies on: fencing, all or nothing. */

import { type KafkaRecord, type StoredRecord, sequenceText } from "../../bridge/kafka/record.ts";
import type { Recorder, Sink, Trail } from "../../bridge/mod.ts";
import { PetrelError } from "../../core/mod.ts";

/** Before the commit, after it, or in its midst: some of its records are there, and the ledger is not. */
export type Fault = "before" | "after" | "half" | undefined;

export class MemoryKafka {
  readonly records: KafkaRecord[] = [];
  readonly ledger: StoredRecord[] = [];
  readonly checkpoints: KafkaRecord[] = [];
  /** What becomes of the next commits: an error before it is made, or after it was. */
  readonly faults: Fault[] = [];
  isAway = false;
  #epoch = 0;

  newSink(): Sink {
    let epoch = -1;
    return {
      open: async () => {
        this.#refuseWhenAway();
        epoch = ++this.#epoch;
      },
      commit: async (batch) => {
        this.#refuseWhenAway();
        if (epoch !== this.#epoch) throw new PetrelError("CONFLICT", "fenced");
        const fault = this.faults.shift();
        if (fault === "before") throw new PetrelError("UNAVAILABLE", "lost on the way");
        if (fault === "half") {
          this.records.push(...batch.records.slice(0, Math.ceil(batch.records.length / 2)));
          throw new PetrelError("UNAVAILABLE", "the broker was killed");
        }
        this.records.push(...batch.records);
        this.checkpoints.push(...(batch.extra ?? []));
        this.ledger.push({ ...batch.ledger, offset: this.ledger.length });
        if (fault === "after") throw new PetrelError("DEADLINE_EXCEEDED", "the answer was lost");
      },
      close: async () => {},
    };
  }

  readonly trail: Trail = {
    lastLedger: async () => this.ledger.at(-1),
    isUntouched: async () => this.ledger.length + this.records.length === 0,
    writtenAlready: async (_tree, size) => {
      const upTo = this.records.length - 1;
      if (upTo < size) return undefined;
      return { upTo, has: ({ headers }) => Number(headers.ce_sequence) <= upTo };
    },
  };

  #refuseWhenAway(): void {
    if (this.isAway) throw new PetrelError("UNAVAILABLE", "no broker answers");
  }
}

/** A record per fact that says what the fact was. */
export const plainRecorder: Recorder = {
  record: (fact, tree, leaf) => ({
    record: {
      topic: "t",
      key: tree,
      value: Buffer.from(fact.kind === "envelope" ? fact.record.id : JSON.stringify(fact)),
      headers: { ce_sequence: sequenceText(leaf), kind: fact.kind },
      timestampMs: fact.timeMs,
    },
  }),
};
