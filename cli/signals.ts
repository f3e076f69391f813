/** Waiting, for commands that end when they are told to. */

/** The work's result, or the signal's reason as soon as it aborts. */
export async function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const stopped = untilStopped(signal).then(() => Promise.reject(signal.reason));
  stopped.catch(() => {});
  return Promise.race([work, stopped]);
}

/** Resolves when the signal aborts, at once when it has. */
export function untilStopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
