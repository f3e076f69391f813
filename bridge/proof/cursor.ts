/** An async iterable read one item at a time, with a look at the next one. */
export class Cursor<T> {
  readonly #iterator: AsyncIterator<T>;
  #ahead: T | undefined;
  #hasAhead = false;
  #isDone = false;

  constructor(items: AsyncIterable<T>) {
    this.#iterator = items[Symbol.asyncIterator]();
  }

  /** The next item, left where it is; undefined at the end. */
  async peek(): Promise<T | undefined> {
    if (!this.#hasAhead && !this.#isDone) {
      const result = await this.#iterator.next();
      if (result.done) this.#isDone = true;
      else [this.#ahead, this.#hasAhead] = [result.value, true];
    }
    return this.#ahead;
  }

  /** Drops what {@link peek} showed. */
  advance(): void {
    [this.#ahead, this.#hasAhead] = [undefined, false];
  }

  async next(): Promise<T | undefined> {
    const item = await this.peek();
    this.advance();
    return item;
  }

  /** Tells the source that no more is wanted. */
  async close(): Promise<void> {
    if (!this.#isDone) await this.#iterator.return?.();
    this.#isDone = true;
  }
}
