import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  decodeSplunkExport,
  type LogMessage,
  type Row,
  type RowBatch,
  readLogFiles,
  readLogMessages,
} from "../../streams/mod.ts";

async function* bytesOf(text: string, size = 7): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

async function rowsOf(batches: AsyncIterable<RowBatch>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of batches) rows.push(...batch.rows);
  return rows;
}

const END = '{"preview":false,"lastrow":true}\n';
const splunk = (text: string) => rowsOf(decodeSplunkExport(bytesOf(text)));

test("an export: previews ignored, blank lines skipped, multivalues joined, fields mapped", async () => {
  const rows = await splunk(
    '{"preview":true,"offset":0,"result":{"_raw":"preview"}}\n\n' +
      '{"preview":true,"offset":1,"lastrow":true,"result":{"_raw":"preview"}}\n' +
      '{"preview":false,"offset":0,"result":{"_raw":"one","_time":"2026-10-08 13:48:34.000 GMT","pod":"p-1"}}\n' +
      '{"preview":false,"offset":1,"lastrow":true,"result":{"_raw":"two","_time":"1775656114.250","service":"orders","x":["1","2"]}}\n',
  );
  expect(rows).toMatchObject([
    { raw: "one", timeMs: Date.UTC(2026, 9, 8, 13, 48, 34), fields: { pod: "p-1" } },
    {
      raw: "two",
      timeMs: 1775656114250,
      service: "orders",
      fields: { service: "orders", x: "1\n2" },
    },
  ]);
  expect(await splunk(END)).toEqual([]);
});

test("a stream without its last row is incomplete, an empty body too", async () => {
  const row = '{"preview":false,"offset":0,"result":{"_raw":"a"}}\n';
  for (const body of ["", "\n", row, '{"preview":true,"lastrow":true}\n']) {
    await expect(splunk(body)).rejects.toMatchObject({ code: "INCOMPLETE", retry: "later" });
  }
});

test("messages: FATAL and ERROR throw with Splunk's word, INFO does not", async () => {
  const message = (type: string) => `{"messages":[{"type":"${type}","text":"no such index"}]}\n`;
  const row = '{"preview":false,"offset":0,"result":{"_raw":"a"}}\n';
  await expect(splunk(message("FATAL"))).rejects.toMatchObject({
    code: "QUERY_REFUSED",
    fields: { message: "no such index" },
  });
  await expect(splunk(row + message("ERROR"))).rejects.toMatchObject({ code: "INCOMPLETE" });
  expect(await splunk(message("INFO") + row + END)).toHaveLength(1);
});

test("what is not the protocol names its line", async () => {
  for (const line of ["{oops", "[]", '"a"', '{"x":1}', '{"preview":false,"result":7}']) {
    await expect(splunk(`\n${line}\n${END}`)).rejects.toMatchObject({
      code: "PROTOCOL_VIOLATION",
      fields: { place: expect.stringContaining("line 2") },
    });
  }
});

test("a line beyond the cap still gives its time and the start of its text", async () => {
  const raw = `${"x".repeat(300)}\\n${"y".repeat(300)}`;
  const body = `{"preview":false,"offset":0,"result":{"_time":"2026-10-08 13:48:34.000 GMT","_raw":"${raw}"}}\n`;
  const [row] = await rowsOf(decodeSplunkExport(bytesOf(body + END), { lineBytesMax: 450 }));
  expect(row?.cut).toBe(true);
  expect(row?.timeMs).toBe(Date.UTC(2026, 9, 8, 13, 48, 34));
  expect(row?.raw).toStartWith(`${"x".repeat(300)}\ny`);
});

test("files: events of several lines are joined, also from gzip; a missing file is named", async () => {
  const folder = await mkdtemp(join(tmpdir(), "petrel-"));
  const text =
    "2026-03-13 14:20:24.940 ERROR 1 --- [main] a.B : failed\n" +
    "java.lang.IllegalStateException: no\n\tat a.B.c(B.java:3)\nCaused by: java.io.IOException: x\n\t... 3 more\n" +
    "2026-03-13 14:20:25.000  INFO 1 --- [main] a.B : next\n";
  const paths = [join(folder, "orders.log"), join(folder, "orders.log.gz"), join(folder, "o.zst")];
  try {
    await Bun.write(paths[0] ?? "", text);
    await Bun.write(paths[1] ?? "", Bun.gzipSync(text));
    await Bun.write(paths[2] ?? "", Bun.zstdCompressSync(text));
    for (const path of paths) {
      const rows = await rowsOf(readLogFiles([path]));
      expect(rows.map((row) => row.raw.split("\n").length)).toEqual([5, 1]);
      expect(rows[0]?.fields).toEqual({ source: path });
    }
    await expect(rowsOf(readLogFiles([join(folder, "none.log")]))).rejects.toMatchObject({
      code: "USAGE",
      fields: { path: join(folder, "none.log") },
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("messages come batched when ready, and at once when nothing follows", async () => {
  const data = (text: string) => ({ data: new TextEncoder().encode(text) });
  let release: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  async function* source(): AsyncGenerator<LogMessage> {
    yield data("a");
    yield data("b");
    await gate;
    yield data("c\n");
  }
  const batches = readLogMessages(source(), { service: "orders" });
  const first = await batches.next();
  expect(first.value?.rows.map((row: Row) => row.raw)).toEqual(["a", "b"]);
  release();
  expect(await rowsOf(batches)).toEqual([{ raw: "c", service: "orders" }]);
});

test("a silent subscription ends when the signal fires", async () => {
  const abort = new AbortController();
  async function* silent(): AsyncGenerator<LogMessage> {
    await new Promise(() => {});
    yield { data: new Uint8Array() };
  }
  const next = readLogMessages(silent(), { signal: abort.signal }).next();
  abort.abort();
  await expect(next).rejects.toMatchObject({ code: "CANCELLED" });
});
