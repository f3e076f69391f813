import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { TraceSlots } from "../../streams/trace-slots.ts";

const seed = Number(process.env["PETREL_TEST_SEED"] ?? 20250601);

test("the trace untouched for longest is released first, and slots are used again", () => {
  const step = fc.oneof(fc.constant("release"), fc.integer({ min: 0, max: 99 }));
  const property = fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
    const slots = new TraceSlots();
    /** The same with a map, whose first entry is the oldest. */
    const model = new Map<string, number>();
    for (const one of steps) {
      if (one === "release") {
        const [oldest] = model;
        expect(slots.release()).toBe(oldest?.[1]);
        if (oldest !== undefined) model.delete(oldest[0]);
        continue;
      }
      const id = String(one);
      const known = slots.touch(id);
      expect(known).toBe(model.get(id));
      const slot = known ?? slots.add(id);
      if (known === undefined) expect([...model.values()]).not.toContain(slot);
      model.delete(id);
      model.set(id, slot);
    }
    expect(slots.size).toBe(model.size);
  });
  fc.assert(property, { seed, numRuns: 200 });
});
