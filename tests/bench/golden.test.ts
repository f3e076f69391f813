/**
 * The same stream gives the same records, byte for byte: a change made for speed changes nothing else.
 * A digest here may change only with a deliberate change of the records' form.
 */
import { expect, test } from "bun:test";
import { callStream, eventStream } from "../../bench/bridge/stream.ts";
import {
  type AuditMessage,
  type Format,
  leafHash,
  Mirror,
  makeEncoder,
  makeRecorder,
  Tree,
} from "../../bridge/mod.ts";
import { makeRedactor } from "../../core/mod.ts";
import { BEGIN_MS, Lane, record, Stream } from "../bridge/mirror/world.ts";

const HORIZON_MS = 60_000;

/** Bodies of all sorts, most of them hostile. */
const BODIES = [
  "",
  "{}",
  "not JSON",
  '{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"contextId":"c-1","taskId":"t-1"}}}',
  '{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"t-2","context_id":"c \\" 2"}}',
  '{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"token=abcdef123456 failed"}}',
  '{"jsonrpc":"2.0","id":"r","result":{"task":{"id":"t-3","contextId":"c-3","status":{"state":"TASK_STATE_FAILED"}}}}',
  '{"jsonrpc":"2.0","id":"r","result":{"statusUpdate":{"taskId":"t-4","contextId":"ключ % \\n 漢"}}}',
  '{"statusUpdate":{"taskId":"t-5","contextId":"c-5","status":{"state":"TASK_STATE_REJECTED"}}}',
  '{"artifactUpdate":{"task_id":"t-6","context_id":"c-6","artifact":{"parts":[{"text":"4111 1111 1111 1111"}]}}}',
  '{"note":"Zahlung an DE89370400440532013000 von a.b@example.com, Bearer abcDEF123456789"}',
  '{"pan":4111111111111111,"cvv":"123","nested":"{\\"password\\":\\"hunter2\\"}"}',
  `{"jsonrpc":"2.0","id":"x","result":{"message":{"parts":[{"text":"${"漢字 😀 ".repeat(300)}"}]}}}`,
  `{"jsonrpc":"2.0","id":"x","result":{"message":{"contextId":"${"c".repeat(201)}"}}}`,
  '  {"jsonrpc":"2.0","id":2,"result":{}}  \n',
  "\u0000\u0001\ud83d\ude00 %00 \r\n\r\n",
] as const;

const KINDS = ["request", "response", "frame", "task", "alarm"] as const;
const METHODS = ["SendMessage", "SendStreamingMessage", "GetTask", "CancelTask"] as const;

/** Every kind of message, a few of each. */
function rarities(): AuditMessage[] {
  const stream = new Stream();
  const sre = new Lane(stream, "sre");
  const splunk = new Lane(stream, "splunk");
  let nth = 0;
  for (const body of BODIES) {
    for (const kind of KINDS) {
      const one = record({
        id: kind === "task" ? `t-${nth}.e${nth}` : `env:${nth}.${nth % 3}`,
        kind,
        body,
        method: METHODS[nth % METHODS.length] ?? "",
        atMs: BEGIN_MS + nth * 0.5,
        ...(nth % 2 === 0 && { traceparent: `00-${"ab".repeat(16)}-${"cd".repeat(8)}-01` }),
        ...(nth % 5 === 0 && { frame: "error" }),
      });
      const isAlone = kind === "task" || kind === "alarm";
      if (!isAlone) sre.send([one, ...(nth % 7 === 0 ? [one] : [])]);
      const body2 = nth % 11 === 0 ? `${body} ` : body;
      const second = {
        ...one,
        side: "agent",
        body: body2,
        bytes: Buffer.byteLength(body2),
      } as const;
      if (nth % 13 !== 0 || isAlone) splunk.send([second]);
      stream.nowMs += 500;
      nth++;
    }
  }
  // A clock no clock can be, a lie, a hole of each kind, rubbish, an end, and time.
  sre.send([record({ id: "far", atMs: 9e15 }), record({ id: "lie", caller: "splunk" })]);
  sre.pack += 2;
  sre.send([record({ id: "after-hole" })]);
  sre.reported += 3;
  sre.lost += 2;
  sre.send([record({ id: "after-count" })]);
  stream.skip(3);
  const cut = Buffer.from('{"id":"cut"}\nbody\n');
  stream.publish("audit.sre.i1.0", `1 sre-1 ${++sre.pack} ${++sre.reported} ${sre.lost} open`, cut);
  stream.publish("audit.sre.i1.0", undefined, Buffer.from("no header 4111111111111111"));
  stream.publish("elsewhere", "1 x 1 0 0 open", Buffer.from([0xff, 0xfe, 0x41]));
  stream.nowMs += HORIZON_MS + 1_000;
  splunk.send([], "beat");
  splunk.send([record({ id: "env:13.1", side: "agent" }), record({ id: "far", side: "agent" })]);
  stream.nowMs += 10 * HORIZON_MS;
  splunk.send([], "end");
  return stream.messages;
}

function busy(): AuditMessage[] {
  const packs = [...callStream(3_000, 1_024), ...eventStream(200, 1_024, 8)];
  return packs.map(({ subject, header, data }, index) => ({
    seq: index + 1,
    subject,
    pack: header,
    data,
    timeMs: BEGIN_MS + index * 100,
  }));
}

const FORMATS: readonly Format[] = [
  { content: "binary", encoding: "json" },
  { content: "structured", encoding: "json" },
  { content: "binary", encoding: "avro" },
  { content: "structured", encoding: "avro" },
];

/** Root of the tree, and a digest of the records as they stand, headers in their order. */
function recordsOf(messages: readonly AuditMessage[], format: Format) {
  const mirrorOptions = { horizonMs: HORIZON_MS, silenceMs: 5 * HORIZON_MS, isWhole: true };
  const mirror = new Mirror({ stream: "AUDIT", ...mirrorOptions }, { nextSeq: 1 });
  const recorder = makeRecorder({
    redactor: makeRedactor({ key: new Uint8Array(32).fill(7) }),
    encode: makeEncoder({ prefix: "petrel.audit", layout: "split", ...format }),
    valueBytesMax: 2_048,
  });
  const tree = new Tree();
  const whole = new Bun.CryptoHasher("sha256");
  const kinds = new Set<string>();
  for (const message of messages) {
    for (const fact of mirror.accept(message)) {
      kinds.add(fact.kind);
      const made = recorder.record(fact, "AUDIT.0", tree.size);
      tree.append(leafHash(made.record));
      const { value, ...rest } = made.record;
      whole
        .update(JSON.stringify(rest))
        .update(value)
        .update(made.body?.sha256 ?? "");
    }
  }
  const root = Buffer.from(tree.root()).toString("hex").slice(0, 16);
  return { size: tree.size, root, whole: whole.digest("hex").slice(0, 16), kinds };
}

test("rarities, in every form", () => {
  const messages = rarities();
  const made = FORMATS.map((format) => recordsOf(messages, format));
  expect([...(made[0]?.kinds ?? [])].sort()).toEqual([
    "confirmed",
    "conflict",
    "envelope",
    "gap",
    "poison",
    "silence",
    "unconfirmed",
  ]);
  expect(made.map(({ size, root, whole }) => `${size} ${root} ${whole}`)).toMatchInlineSnapshot(`
    [
      "107 3a8b71b3c3a0636c 6ce4657c54970ddd",
      "107 9e1dfa2e7b9c0e70 ed6fb72dc6030722",
      "107 9d6413450c3681e5 b1134ba7ed6c60ea",
      "107 92c841b6ba00b07e 76830b9184020100",
    ]
  `);
});

test("what is carried every day, in every form", () => {
  const messages = busy();
  const made = FORMATS.map((format) => recordsOf(messages, format));
  expect(made.map(({ size, root, whole }) => `${size} ${root} ${whole}`)).toMatchInlineSnapshot(`
    [
      "3200 a86c0512e1b0b17e 32c312df3dd1080a",
      "3200 0c5764d8d5008053 d9ae71088dad65c4",
      "3200 ba3d31ab8d6dbacc f95993f05e589648",
      "3200 5eca21d5e7ff09ac 62b898264d099245",
    ]
  `);
});
