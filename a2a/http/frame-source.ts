/** Frames of a relayed stream as server-sent events; how a frame looks is the binding's to say. */
import type { PetrelError } from "../../core/mod.ts";
import type { RelayFrame } from "./frame.ts";
import type { RelayStream } from "./relay-stream.ts";
import { type EventSource, KEEP_ALIVE } from "./sse.ts";

/** How one binding writes what a stream brings. */
export interface FrameFormat {
  /** A frame, and whether it is the last one. */
  readonly event: (frame: RelayFrame) => { readonly text: string; readonly isLast: boolean };
  /** Why the stream broke off. */
  readonly failure: (error: unknown) => string;
}

export class FrameSource implements EventSource {
  readonly #stream: RelayStream;
  readonly #format: FrameFormat;
  #isOver = false;

  constructor(stream: RelayStream, format: FrameFormat) {
    this.#stream = stream;
    this.#format = format;
  }

  get isReady(): boolean {
    return !this.#isOver && this.#stream.isReady;
  }

  async next(): Promise<string | undefined> {
    if (this.#isOver) return undefined;
    try {
      const frame = await this.#stream.next();
      if (frame) return this.write(frame);
      this.#isOver = true;
      return undefined;
    } catch (error) {
      this.#isOver = true;
      return this.#format.failure(error);
    }
  }

  /** One frame as text; after the last one there is nothing more. */
  write(frame: RelayFrame): string {
    if (frame.kind === "heartbeat") return KEEP_ALIVE;
    const { text, isLast } = this.#format.event(frame);
    if (isLast) {
      this.#isOver = true;
      this.#stream.close();
    }
    return text;
  }

  leave(_reason: PetrelError): void {
    this.#isOver = true;
    this.#stream.close();
  }
}
