/**
 * The recorded faults that come with Petrel and the seed scenario, made to last, through the whole system
 * with real nats-server and Prometheus and the stand-in for a model: one alarm each, none doubled over ten
 * following windows, resolved after.
 */
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { petrel } from "../cli/command.ts";
import { programForTests } from "../support/runtime.ts";

const TIMEOUT_MS = 300_000;
const FAULTS = 9;

test(
  "one alarm per fault, none doubled, each resolved, and no model asked in quiet windows",
  async () => {
    await Promise.all([programForTests("nats-server"), programForTests("prometheus")]);
    const dir = await mkdtemp(join(tmpdir(), "petrel-incidents-"));
    await using _cleanup = {
      [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
    };
    const { code, out, err } = await petrel(["eval", "incidents", "--data", dir, "--json"]);
    expect(err).toBe(`left out: ${dir}: no faults.json there: the faults that come with Petrel\n`);
    expect(code).toBe(0);
    const report = JSON.parse(out);
    expect(report).toMatchObject({ suite: "incidents", cases: FAULTS });
    const { updates, llm_calls, llm_calls_per_change_max, ...rest } = report.metrics;
    expect(rest).toEqual({
      faults: FAULTS,
      alarmed: FAULTS,
      one_alarm: FAULTS,
      doubled: 0,
      named: FAULTS,
      resolved: FAULTS,
      resolved_early: 0,
      llm_calls_quiet_windows: 0,
    });
    expect(llm_calls).toBeGreaterThanOrEqual(FAULTS);
    expect(llm_calls_per_change_max).toBeLessThanOrEqual(4);
    expect(updates).toBeLessThanOrEqual(FAULTS);
  },
  TIMEOUT_MS,
);
