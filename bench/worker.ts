/**
 * The inside of a process of a bench: its task comes as JSON in its first argument, its answers go
 * out as JSON lines, and it ends when its standard input does, so that it never outlives its bench.
 */
import type { z } from "zod";

/** The task this process was started with. Throws what the schema throws. */
export function readTask<T>(schema: z.ZodType<T>): T {
  return schema.parse(JSON.parse(process.argv[2] ?? "null"));
}

export function answer(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Resolves when the bench needs this process no longer, or is gone. */
export async function untilReleased(): Promise<void> {
  for await (const _chunk of Bun.stdin.stream()) void _chunk;
}
