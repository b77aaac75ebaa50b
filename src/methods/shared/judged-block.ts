import type { QTensor } from "../../quant/q-tensor.ts";
import type { TrainedSlots } from "./trained-slots.ts";

/** A block while it is trained: what it began with, and what has done best so far. */
export class JudgedBlock {
  /** Loss before the training. */
  readonly before: number;
  /** Weights that did best so far, by slot, and their loss. */
  best: { readonly loss: number; readonly weights: ReadonlyMap<string, QTensor> };
  /** Loss when it was judged last. */
  last: number;
  private readonly start: ReadonlyMap<string, QTensor>;
  private readonly slots: TrainedSlots;
  private readonly measure: () => Promise<number>;

  private constructor(
    slots: TrainedSlots,
    start: ReadonlyMap<string, QTensor>,
    before: number,
    measure: () => Promise<number>,
  ) {
    this.slots = slots;
    this.measure = measure;
    this.start = start;
    this.before = before;
    this.last = before;
    this.best = { loss: before, weights: start };
  }

  /** Packs and judges what training begins with; `measure` gives the loss with the weights of now. */
  static async of(slots: TrainedSlots, measure: () => Promise<number>): Promise<JudgedBlock> {
    return new JudgedBlock(slots, await slots.packStart(), await measure(), measure);
  }

  /** Measures the loss, and packs the weights where it is no higher than the least so far. */
  async judge(): Promise<number> {
    this.last = await this.measure();
    if (this.last <= this.best.loss) {
      this.best = { loss: this.last, weights: await this.slots.pack() };
    }
    return this.last;
  }

  /** Whether nothing did better than what training began with. */
  get isAsBegun(): boolean {
    return this.best.weights === this.start;
  }
}
