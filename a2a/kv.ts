/** What KV's refusals mean. */

/** Whether a compare-and-set found another revision than it named. */
export function isWrongRevision(error: unknown): boolean {
  return error instanceof Error && /wrong last sequence/i.test(error.message);
}
