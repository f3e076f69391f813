/**
 * How surprising a distance is, measured by the largest distances so far: peaks over a threshold on block
 * maxima (Coles 2001; online for streams: Siffer et al. 2017). Blocks take out the dependence inside an
 * episode. The threshold is the median block maximum, the scale is the mean excess over it, and the tail is
 * taken as heavy (a generalised Pareto with shape 1), since a light one cannot be told from a few dozen
 * blocks and would make every burst infinite.
 *
 * Bounded: when the list of blocks is full, every second one goes and only every second (then fourth) new
 * one is kept, so the list spans more and more time.
 */

/** Only every fourth block at most: a list of 96 then spans nine weeks at ten minutes. */
export const STRIDE_MAX = 4;

/** On a flat series of zeros any distance is infinitely many scales; so many are enough. */
const EXCESS_MAX = 1e6;

export interface TailState {
  /** Maxima of the blocks kept, oldest first. */
  readonly maxima: Float32Array;
  readonly stride: number;
  readonly blocks: number;
  readonly blockMax: number;
  readonly blockFill: number;
}

export class Tail {
  readonly #blockSize: number;
  readonly #blocksMin: number;
  /** Oldest first; one place more than is kept. */
  readonly #maxima: Float32Array;
  #size = 0;
  #stride = 1;
  #blocks = 0;
  #blockMax = 0;
  #blockFill = 0;
  #threshold = 0;
  #scale = 0;

  constructor(blockSize: number, blocksMax: number, blocksMin: number) {
    this.#blockSize = blockSize;
    this.#blocksMin = blocksMin;
    this.#maxima = new Float32Array(blocksMax + 1);
  }

  /**
   * Surprise of a distance, in nats of a heavy tail: 0 for what is usual. `scaleMin` keeps a flat series,
   * whose distances are all zero, from calling every flicker infinite.
   */
  surprise(distance: number, scaleMin: number): number {
    if (this.#size < this.#blocksMin || !(distance > this.#threshold)) return 0;
    const excess = (distance - this.#threshold) / Math.max(this.#scale, scaleMin);
    return Math.log1p(Math.min(excess, EXCESS_MAX));
  }

  /** Learns one distance from 0 on; anything else is passed over. */
  learn(distance: number): void {
    if (!(distance >= 0)) return;
    if (distance > this.#blockMax) this.#blockMax = distance;
    this.#blockFill++;
    if (this.#blockFill >= this.#blockSize) this.#closeBlock();
  }

  get state(): TailState {
    return {
      maxima: this.#maxima.slice(0, this.#size),
      stride: this.#stride,
      blocks: this.#blocks,
      blockMax: this.#blockMax,
      blockFill: this.#blockFill,
    };
  }

  load(state: TailState): void {
    this.#maxima.set(state.maxima);
    this.#size = state.maxima.length;
    this.#stride = state.stride;
    this.#blocks = state.blocks;
    this.#blockMax = state.blockMax;
    this.#blockFill = state.blockFill;
    this.#fit();
  }

  #closeBlock(): void {
    this.#blocks++;
    if (this.#blocks % this.#stride === 0) this.#maxima[this.#size++] = this.#blockMax;
    this.#blockMax = 0;
    this.#blockFill = 0;
    if (this.#size === this.#maxima.length) this.#thin();
    this.#fit();
  }

  #thin(): void {
    if (this.#stride >= STRIDE_MAX) {
      this.#maxima.copyWithin(0, 1);
      this.#size--;
      return;
    }
    this.#size = Math.ceil(this.#size / 2);
    for (let i = 0; i < this.#size; i++) this.#maxima[i] = this.#maxima[2 * i] ?? 0;
    this.#stride *= 2;
  }

  #fit(): void {
    const sorted = this.#maxima.slice(0, this.#size).sort();
    this.#threshold = sorted[sorted.length >> 1] ?? 0;
    let sum = 0;
    let count = 0;
    for (const maximum of sorted) {
      if (maximum <= this.#threshold) continue;
      sum += maximum - this.#threshold;
      count++;
    }
    this.#scale = count === 0 ? 0 : sum / count;
  }
}
