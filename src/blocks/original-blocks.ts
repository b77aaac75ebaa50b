import { runBlock } from "../methods/shared/block-loss.ts";
import type { Block, QuantizableModel } from "../nn/quantizable-model.ts";
import { Tape } from "../tensor/tape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { choosePrecision } from "../training/choose-precision.ts";
import { throwIfCancelled } from "../util/errors.ts";

/** The blocks of the original, of which one is in memory at a time. */
export class OriginalBlocks {
  readonly model: QuantizableModel;
  private readonly signal: AbortSignal | undefined;

  constructor(model: QuantizableModel, signal: AbortSignal | undefined) {
    this.model = model;
    this.signal = signal;
  }

  /** Lets `body` work with a block, and waits for what it enqueued. */
  async with(index: number, body: (block: Block) => void | Promise<void>): Promise<void> {
    throwIfCancelled(this.signal);
    const { model } = this;
    const block = await model.loadBlock(index);
    try {
      await body(block);
      await model.backend.synchronize();
    } finally {
      model.releaseBlock(block);
    }
  }

  /** What a block gives for whole windows `[windows, length, hiddenSize]`. */
  forward(block: Block, input: Tensor<"f32">): Tensor<"f32"> {
    return runBlock({ model: this.model, block }, input);
  }

  /** A tape that multiplies in bfloat16 where that is fast. */
  open(): Tape {
    return new Tape({ precision: choosePrecision("auto", this.model.backend) });
  }
}

/** Takes the gradient by what every prediction depends on. */
export function takenGradient(tape: Tape, input: Tensor<"f32">): Tensor<"f32"> {
  const gradient = tape.takeGradient(input);
  if (gradient) return gradient;
  throw new RangeError("expected predictions that depend on every block");
}
