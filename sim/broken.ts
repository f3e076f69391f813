/** How a stand-in is served, and the two ways in which it fails without an HTTP error. */

/** The first half of the body, then the connection breaks. */
export async function cutInHalf(response: Response): Promise<Response> {
  const body = new Uint8Array(await response.arrayBuffer());
  const half = body.slice(0, body.length >> 1);
  let sent = false;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      // With an error of undefined Bun breaks the connection and prints nothing.
      if (sent) return controller.error();
      sent = true;
      controller.enqueue(half);
    },
  });
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  return new Response(stream, { status: response.status, headers });
}

/** An answer that does not come before the client goes away. */
export function neverAnswer(signal: AbortSignal): Promise<Response> {
  return new Promise((resolve) => {
    const done = () => resolve(new Response(null, { status: 499 }));
    if (signal.aborted) done();
    else signal.addEventListener("abort", done, { once: true });
  });
}

/** Serves an app on a port of this machine (0: any free one); `isCut` breaks every answer in half. */
export function serveSim(
  app: { fetch(request: Request): Response | Promise<Response> },
  port: number | undefined,
  isCut: () => boolean,
) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: port ?? 0,
    idleTimeout: 0,
    fetch: async (request) => {
      const response = await app.fetch(request);
      return isCut() ? cutInHalf(response) : response;
    },
  });
}
