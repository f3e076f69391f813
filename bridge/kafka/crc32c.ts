/** CRC-32C (Castagnoli, RFC 3720 appendix B.4), which guards every record batch; eight bytes a step. */

const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;

/** TABLE[s * 256 + b] is byte `b` moved `s` bytes through the register. */
const TABLE = makeTable();

function makeTable(): Int32Array {
  const table = new Int32Array(SLICES * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    table[byte] = crc;
  }
  for (let at = 256; at < table.length; at++) {
    const before = at32(table, at - 256);
    table[at] = (before >>> 8) ^ at32(table, before & 0xff);
  }
  return table;
}

function at32(table: Int32Array, index: number): number {
  return table[index] ?? 0;
}

/** The checksum of `bytes[from, to)` as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let crc = -1;
  let at = from;
  for (const last = to - SLICES; at <= last; at += SLICES) {
    const low = crc ^ view.getInt32(at, true);
    const high = view.getInt32(at + 4, true);
    crc =
      at32(TABLE, 1792 + (low & 0xff)) ^
      at32(TABLE, 1536 + ((low >>> 8) & 0xff)) ^
      at32(TABLE, 1280 + ((low >>> 16) & 0xff)) ^
      at32(TABLE, 1024 + (low >>> 24)) ^
      at32(TABLE, 768 + (high & 0xff)) ^
      at32(TABLE, 512 + ((high >>> 8) & 0xff)) ^
      at32(TABLE, 256 + ((high >>> 16) & 0xff)) ^
      at32(TABLE, high >>> 24);
  }
  for (; at < to; at++) crc = (crc >>> 8) ^ at32(TABLE, (crc ^ view.getUint8(at)) & 0xff);
  return ~crc >>> 0;
}
