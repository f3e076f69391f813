/** Leaves made again from a real stream, whole and after retention took its beginning. */
import { expect, test } from "bun:test";
import { headers } from "@nats-io/nats-core";
import { AUDIT_STREAM, packRecords } from "../../../a2a/mod.ts";
import { makeRecorder } from "../../../bridge/recorder.ts";
import { makeEncoder } from "../../../bridge/records/encode.ts";
import { replayLeaves } from "../../../bridge/replay/again.ts";
import { makeRedactor, systemClock } from "../../../core/mod.ts";
import { openMesh } from "../../a2a/echo.ts";
import { startNats } from "../../support/nats.ts";
import { record } from "../mirror/world.ts";

const MESSAGES = 20;
/** Sequences up to here are taken by retention. */
const TAKEN = 8;

test("as far as the stream reaches back, from the first batch behind a full horizon", async () => {
  await using nats = await startNats();
  const mesh = await openMesh(nats.url, "tester");
  const { js, jsm } = mesh;
  try {
    for (let pack = 1; pack <= MESSAGES; pack++) {
      // The horizon goes by, in the stream's own time, behind what retention will take.
      if (pack === TAKEN + 4) await systemClock.sleep(20);
      const header = headers();
      header.set("petrel-pack", `1 s1 ${pack} ${pack} 0 open`);
      const told = record({ id: `t1.e${pack}`, kind: "task", side: "agent" });
      await js.publish("audit.splunk.i1.0", packRecords([told]), { headers: header });
    }
    const recorder = makeRecorder({
      redactor: makeRedactor(),
      encode: makeEncoder({ prefix: "p", layout: "one", content: "binary", encoding: "json" }),
      valueBytesMax: 10_000,
    });
    const mirror = { stream: AUDIT_STREAM, horizonMs: 5, silenceMs: 600_000, isWhole: true };
    const again = async (silenceMs: number) => {
      const boundaries = [5, 10, 12, 15, 20].map((size) => ({ size, nextSeq: size + 1 }));
      const { signal } = new AbortController();
      const options = { js, jsm, tree: "AUDIT.0", recorder, boundaries, signal };
      const { first, hashes } = await replayLeaves({
        ...options,
        mirror: { ...mirror, silenceMs },
      });
      return { first, hashes: await Array.fromAsync(hashes) };
    };
    const whole = await again(600_000);
    expect([whole.first, whole.hashes.length]).toEqual([0, MESSAGES]);
    // The stream denies purging; a bound takes its oldest messages as age would.
    await jsm.streams.update(AUDIT_STREAM, { max_msgs: MESSAGES - TAKEN });
    const cut = await again(5);
    expect(cut).toEqual({ first: 12, hashes: whole.hashes.slice(12) });
    await expect(again(600_000)).rejects.toThrow(/begins at sequence 9: nothing of AUDIT\.0/);
  } finally {
    await mesh.close();
  }
});
