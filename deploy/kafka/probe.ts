/**
 * Asks a broker the first thing every client asks: which requests it knows (ApiVersions, version 0).
 * It is answered on plain and on SASL listeners, before any sign-in.
 */
import { connect } from "node:net";
import { PetrelError } from "../../core/mod.ts";

const API_VERSIONS = 18;
const CORRELATION = 1;
/** Size, correlation id, error code. */
const ANSWER_BYTES_MIN = 10;

/**
 * Resolves when the broker at `port` answers without an error.
 * Source: the Kafka protocol guide, request header version 1 and ApiVersionsRequest version 0.
 * @throws PetrelError UNAVAILABLE when it refuses, DEADLINE_EXCEEDED when it stays silent.
 */
export async function probeBroker(host: string, port: number, timeoutMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fail = (code: "UNAVAILABLE" | "DEADLINE_EXCEEDED", why: string) =>
    reject(new PetrelError(code, `the broker at ${host}:${port} ${why}`));
  const socket = connect(port, host, () => socket.write(apiVersionsRequest()));
  const timer = setTimeout(
    () => fail("DEADLINE_EXCEEDED", `did not answer in ${timeoutMs} ms`),
    timeoutMs,
  );
  let answer: Buffer = Buffer.alloc(0);
  socket.on("error", (error) => fail("UNAVAILABLE", `cannot be reached: ${error.message}`));
  socket.on("close", () => fail("UNAVAILABLE", "closed the connection"));
  socket.on("data", (chunk: Buffer) => {
    answer = Buffer.concat([answer, chunk]);
    if (answer.length < ANSWER_BYTES_MIN) return;
    const [correlation, errorCode] = [answer.readInt32BE(4), answer.readInt16BE(8)];
    if (correlation === CORRELATION && errorCode === 0) resolve();
    else fail("UNAVAILABLE", `answered with error ${errorCode}`);
  });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

function apiVersionsRequest(): Buffer {
  const clientId = Buffer.from("petrel");
  const request = Buffer.alloc(4 + 2 + 2 + 4 + 2 + clientId.length);
  request.writeInt32BE(request.length - 4, 0);
  request.writeInt16BE(API_VERSIONS, 4);
  request.writeInt16BE(0, 6);
  request.writeInt32BE(CORRELATION, 8);
  request.writeInt16BE(clientId.length, 12);
  clientId.copy(request, 14);
  return request;
}
