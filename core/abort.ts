/** Waiting for work that a signal may make pointless. */

/**
 * The work's result, or the signal's reason as soon as it aborts. Only the wait ends: the work goes on,
 * and what becomes of it is ignored. Nothing is left on the signal.
 */
export async function unlessAborted<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return work;
  let stop: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
  });
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener("abort", stop));
}
