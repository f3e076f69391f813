import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { kindOf, type TrailEntry } from "../../../bridge/replay/entry.ts";
import { foldTask } from "../../../bridge/replay/fold.ts";
import { stateWord, taskJson } from "../../../bridge/replay/live.ts";
import { answer, BEGIN_MS, begun, chunk, status, TrailOf } from "./support.ts";

const seed = Number(process.env.PETREL_TEST_SEED ?? 1);

/** What the events of a task say, numbered from 1. */
function events(...bodies: readonly unknown[]): TrailEntry[] {
  const trail = new TrailOf();
  for (const [at, body] of bodies.entries()) trail.add({ id: `t1.e${at + 1}`, body });
  return trail.entries;
}

const textsOf = (entries: readonly TrailEntry[]) =>
  foldTask(entries, "t1").task?.artifacts.map(({ parts }) =>
    parts.map(({ content }) => content?.value),
  );

describe("the events of a task", () => {
  test("make the task, one after the other", () => {
    const entries = events(
      begun("t1"),
      status("t1", "TASK_STATE_WORKING", "halfway"),
      chunk("t1", "a", "one", { lastChunk: true }),
      status("t1", "TASK_STATE_COMPLETED", "done"),
    );
    const states = entries.map((_, at) => stateWord(foldTask(entries.slice(0, at + 1), "t1").task));
    expect(states).toEqual(["working", "working", "working", "completed"]);
    const { task, basis, lastEvent, agent, caller, notes } = foldTask(entries, "t1");
    expect({ basis, lastEvent, agent, caller, notes }).toEqual({
      basis: "events",
      lastEvent: 4,
      agent: "splunk",
      caller: "sre",
      notes: [],
    });
    expect(task?.history.map(({ messageId }) => messageId)).toEqual(["m1"]);
    expect(task?.artifacts).toHaveLength(1);
  });

  test("artifacts are replaced, or appended to, and open until their last chunk", () => {
    const open = events(begun("t1"), chunk("t1", "a", "one"), chunk("t1", "b", "two"));
    expect(foldTask(open, "t1").openArtifacts).toEqual(["a", "b"]);
    const more = events(
      begun("t1"),
      chunk("t1", "a", "one"),
      chunk("t1", "a", "two", { append: true, lastChunk: true }),
      chunk("t1", "b", "old", { lastChunk: true }),
      chunk("t1", "b", "new", { lastChunk: true }),
    );
    expect(textsOf(more)).toEqual([["one", "two"], ["new"]]);
    expect(foldTask(more, "t1")).toMatchObject({ openArtifacts: [], notes: [] });
  });

  test("a chunk to append to nothing, or after the last one, is kept and noted", () => {
    const odd = events(
      begun("t1"),
      chunk("t1", "a", "one", { append: true, lastChunk: true }),
      chunk("t1", "a", "two", { append: true, lastChunk: true }),
    );
    expect(textsOf(odd)).toEqual([["one", "two"]]);
    expect(foldTask(odd, "t1").notes.map(({ text }) => text)).toEqual([
      "artifact a: a chunk to append, and nothing to append it to",
      "artifact a: a chunk after its last one",
    ]);
  });

  test("the end stays the end", () => {
    const entries = events(
      begun("t1"),
      status("t1", "TASK_STATE_CANCELED"),
      status("t1", "TASK_STATE_COMPLETED"),
    );
    const { task, notes } = foldTask(entries, "t1");
    expect(stateWord(task)).toBe("canceled");
    expect(notes).toEqual([{ at: "AUDIT:3.0", text: "a status after the end of the task" }]);
  });

  test("a repeated event changes nothing, a missing one is noted", () => {
    const trail = new TrailOf();
    trail.add({ id: "t1.e1", body: begun("t1") });
    trail.add({ id: "t1.e2", body: chunk("t1", "a", "one", { lastChunk: true }) });
    trail.add({ id: "t1.e2", body: chunk("t1", "a", "two", { append: true }) });
    trail.add({ id: "t1.e6", body: status("t1", "TASK_STATE_COMPLETED") });
    expect(textsOf(trail.entries)).toEqual([["one"]]);
    const texts = foldTask(trail.entries, "t1").notes.map(({ text }) => text);
    expect(texts).toEqual([
      "event 2 after event 2: passed over",
      "3 events before event 6 are missing: the state may be older",
    ]);
  });

  test("another agent cannot speak of the task", () => {
    const trail = new TrailOf();
    trail.add({ id: "t1.e1", body: begun("t1") });
    trail.add({ id: "t1.e2", agent: "mallory", body: status("t1", "TASK_STATE_FAILED") });
    const { task, notes } = foldTask(trail.entries, "t1");
    expect(stateWord(task)).toBe("working");
    expect(notes[0]?.text).toBe("of agent mallory, which does not run this task: passed over");
  });

  test("records of other tasks and notices are none of its business", () => {
    const trail = new TrailOf();
    trail.add({ id: "t2.e1", body: begun("t2") });
    trail.addUnconfirmed("t1");
    expect(foldTask(trail.entries, "t1")).toMatchObject({
      basis: "nothing",
      records: 0,
      notes: [],
    });
  });
});

describe("a moment", () => {
  const entries = events(
    begun("t1"),
    status("t1", "TASK_STATE_WORKING", "halfway"),
    status("t1", "TASK_STATE_COMPLETED"),
  );

  test("by time: up to and with it", () => {
    const at = (untilMs: number) => stateWord(foldTask(entries, "t1", { untilMs }).task);
    expect([at(BEGIN_MS), at(BEGIN_MS + 1), at(BEGIN_MS + 3)]).toEqual([
      "unknown",
      "working",
      "completed",
    ]);
  });

  test("by sequence: up to and with it", () => {
    const at = (seq: number) => foldTask(entries, "t1", { seq }).lastEvent;
    expect([at(0), at(1), at(2), at(9)]).toEqual([0, 1, 2, 3]);
  });
});

describe("a task whose agent reports no events", () => {
  const message = (id: string, text: string, taskId?: string) => ({
    messageId: id,
    role: "ROLE_USER",
    parts: [{ text }],
    ...(taskId === undefined ? {} : { taskId }),
  });
  const call = (id: string, params: unknown) => ({
    id,
    kind: "request" as const,
    side: "caller" as const,
    body: { jsonrpc: "2.0", id: "1", method: "SendMessage", params },
  });

  test("is what its callers saw: the message that began it, and the answers", () => {
    const trail = new TrailOf();
    trail.add(call("r1", { message: message("m1", "hello") }));
    const working = { id: "t1", contextId: "c1", status: { state: "TASK_STATE_WORKING" } };
    trail.add({ id: "r1.r", kind: "response", body: answer({ task: working }) });
    trail.add(call("r2", { message: message("m2", "more", "t1") }));
    const artifacts = [{ artifactId: "a", parts: [{ text: "one" }] }];
    const done = { ...working, status: { state: "TASK_STATE_COMPLETED" }, artifacts };
    trail.add({ id: "r3.r", kind: "response", method: "GetTask", body: answer(done) });
    const { task, basis } = foldTask(trail.entries, "t1");
    expect(basis).toBe("envelopes");
    expect(stateWord(task)).toBe("completed");
    expect(task?.history.map(({ messageId }) => messageId)).toEqual(["m1", "m2"]);
    expect(task?.artifacts).toHaveLength(1);
  });

  test("is what its stream said, frame by frame", () => {
    const trail = new TrailOf();
    trail.add({
      ...call("r1", { message: message("m1", "hello") }),
      method: "SendStreamingMessage",
    });
    const frames = [
      begun("t1"),
      chunk("t1", "a", "one"),
      chunk("t1", "a", "two", { append: true, lastChunk: true }),
      status("t1", "TASK_STATE_COMPLETED"),
    ];
    for (const [at, frame] of frames.entries())
      trail.add({
        id: `r1.${at + 1}`,
        kind: "frame",
        method: "SendStreamingMessage",
        body: answer(frame),
      });
    expect(stateWord(foldTask(trail.entries, "t1").task)).toBe("completed");
    expect(textsOf(trail.entries)).toEqual([["one", "two"]]);
    expect(foldTask(trail.entries, "t1").notes).toEqual([]);
  });

  test("an error answers nothing about it", () => {
    const trail = new TrailOf();
    const body = { jsonrpc: "2.0", id: "1", method: "GetTask", params: { id: "t1" } };
    trail.add({ id: "r1", kind: "request", side: "caller", method: "GetTask", body });
    const error = { code: -32001, message: "Task not found" };
    trail.add({ id: "r1.r", kind: "response", body: { jsonrpc: "2.0", id: "1", error } });
    expect(foldTask(trail.entries, "t1")).toMatchObject({ task: undefined, notes: [] });
  });
});

/** Bodies that peers may send: right ones, mutilated ones, and none. */
const hostile = fc.oneof(
  fc.constantFrom<unknown>(
    begun("t1"),
    begun("t2"),
    status("t1", "TASK_STATE_WORKING", "x"),
    status("t1", "TASK_STATE_COMPLETED"),
    chunk("t1", "a", "one"),
    chunk("t1", "a", "two", { append: true }),
    chunk("t1", "b", "three", { append: true, lastChunk: true }),
    answer(begun("t1")),
    answer({ id: "t1", contextId: "c1", artifacts: [null], status: {} }),
    { task: null },
    { task: { id: "t1", history: [null] } },
    { task: { id: "t1", artifacts: [{ parts: [7] }], status: { state: 99 } } },
    { statusUpdate: { taskId: "t1" } },
    { statusUpdate: { taskId: "t1", status: { state: "TASK_STATE_PARTY", message: 5 } } },
    { artifactUpdate: { taskId: "t1", artifact: { artifactId: { toString: 1 } } } },
    { artifactUpdate: { taskId: "t1" } },
    { jsonrpc: "2.0", method: "SendMessage", params: { message: { parts: "no" } } },
    { jsonrpc: "2.0", method: "SendMessage", params: { message: { messageId: "m9" } } },
    '{"task":{"id":"t1","__proto__":{"polluted":true},"metadata":{"constructor":1}}}',
    "[]",
    "not JSON",
    "",
    "null",
  ),
  fc.json(),
  fc.string(),
);
const KINDS = ["task", "request", "response", "frame"] as const;
const someTrail = fc
  .array(fc.tuple(hostile, fc.constantFrom(...KINDS), fc.nat(6), fc.nat(20)), { maxLength: 30 })
  .map((given) => {
    const trail = new TrailOf();
    for (const [body, kind, n, at] of given) {
      const id = kind === "task" ? `t1.e${n}` : `r${n % 3}${kind === "request" ? "" : ".r"}`;
      trail.add({ id, kind, body, agent: n === 6 ? "mallory" : "splunk", atMs: BEGIN_MS + at });
    }
    return trail.entries;
  });

test("in two parts or in one, with any bodies: the same state, and never an error", () => {
  fc.assert(
    fc.property(someTrail, fc.nat(30), fc.nat(25), (entries, cut, until) => {
      const moment = { untilMs: BEGIN_MS + until };
      const all = foldTask(entries, "t1", moment);
      const first = foldTask(entries.slice(0, cut), "t1", moment);
      const before = Bun.inspect(first, { depth: 20 });
      expect(foldTask(entries.slice(cut), first, moment)).toEqual(all);
      // What a fold goes on from stays as it is.
      expect(Bun.inspect(first, { depth: 20 })).toBe(before);
      if (all.task) taskJson(all.task);
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    }),
    { seed, numRuns: 500 },
  );
});

test("notes are bounded, and what there is no room for is counted", () => {
  const trail = new TrailOf();
  for (let n = 1; n <= 150; n++) trail.add({ id: `t1.e${n}`, body: "junk" });
  const { notes, notesLeftOut } = foldTask(trail.entries, "t1");
  expect([notes.length, notesLeftOut]).toEqual([100, 50]);
});

test("a record is what its type says", () => {
  const trail = new TrailOf();
  const kinds = (["request", "response", "frame", "task", "alarm"] as const).map((kind) =>
    kindOf(trail.add({ id: "x", kind, body: {} })),
  );
  expect(kinds).toEqual(["request", "response", "frame", "task", "alarm"]);
  expect(kindOf(trail.addUnconfirmed("x"))).toBe("notice");
});
