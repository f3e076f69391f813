/** Receivers of alarms for tests: real sockets that note what they get and answer as they are told. */
import { createServer, type Socket } from "node:net";

export interface Received {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Headers;
  readonly text: string;
}

export type Answer = (request: Received) => Response | Promise<Response>;

export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly Received[];
}

/** Answers each request with the next of `answers`, the last one again and again. */
export function receiver(...answers: readonly [Answer, ...Answer[]]): Receiver {
  const requests: Received[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request) => {
      const { pathname, search } = new URL(request.url);
      const { method, headers } = request;
      const received = { method, path: pathname + search, headers, text: await request.text() };
      requests.push(received);
      const answer = answers[requests.length - 1] ?? answers.at(-1) ?? answers[0];
      return answer(received);
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    requests,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** A raw server: what it writes after the first bytes of a request is up to `answer`. */
export async function rawReceiver(
  answer: (socket: Socket) => void,
): Promise<AsyncDisposable & { readonly url: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export const answers = {
  text: (text: string, status = 200, headers: Record<string, string> = {}): Answer => {
    return () => new Response(text, { status, headers });
  },
  json:
    (body: unknown, status = 200): Answer =>
    () =>
      Response.json(body, { status }),
};

/** A signal that never aborts. */
export const never = () => new AbortController().signal;
