import type { Block, QuantizableModel } from "../../nn/quantizable-model.ts";
import { multiply } from "../../tensor/ops.ts";
import { Tape, type TapePrecision } from "../../tensor/tape.ts";
import { squaredErrorGradient } from "../../tensor/training-ops.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { choosePrecision } from "../../training/choose-precision.ts";
import type { Parameter } from "../../training/parameter.ts";
import type { MicroBatch } from "../../training/training-loop.ts";
import { type Pair, releasePair } from "./window-pairs.ts";

/** A block of a model. */
interface BlockInModel {
  readonly model: QuantizableModel;
  readonly block: Block;
}

/**
 * Mean squared error of a block's outputs, `Σ w_t·(y_t − target_t)²/n` over n elements with the
 * weights of tokens t that pairs bring, and its gradients; with factors, of the outputs times these.
 */
export class BlockLoss {
  readonly model: QuantizableModel;
  readonly block: Block;
  private readonly parameters: readonly Parameter[];
  private readonly precision: TapePrecision;

  /** `auto` multiplies in bfloat16 where that is fast. */
  constructor(
    { model, block }: BlockInModel,
    parameters: readonly Parameter[],
    precision: TapePrecision | "auto",
  ) {
    this.model = model;
    this.block = block;
    this.parameters = parameters;
    this.precision = choosePrecision(precision, parameters[0].value.backend);
  }

  /** Enqueues forward and backward pass of a batch, which is given back. */
  ofBatch(pair: Pair): MicroBatch {
    const tape = new Tape({ precision: this.precision });
    try {
      tape.watch(...this.parameters.map(({ value }) => value));
      const out = tape.run(() => this.forward(pair));
      const scale = 1 / out.size;
      const { total, gradient } = squaredErrorGradient(out, pair.target, pair.weights, scale);
      tape.backward([[out, gradient]]);
      const gradients = this.parameters.map(({ value }) => tape.takeGradient(value));
      return { loss: [{ values: total, scale }], gradients };
    } finally {
      tape.release();
      releasePair(pair);
    }
  }

  /** Mean over batches, which are given back; in float32, as it decides which weights are kept. */
  async mean(pairs: AsyncIterable<Pair>): Promise<number> {
    let sum = 0;
    let elements = 0;
    for await (const pair of pairs) {
      const tape = new Tape({ precision: "f32" });
      const out = tape.run(() => this.forward(pair));
      const { total, gradient } = squaredErrorGradient(out, pair.target, pair.weights, 1);
      sum += (await total.read())[0];
      elements += out.size;
      for (const tensor of [out, gradient, total]) tensor.release();
      tape.release();
      releasePair(pair);
    }
    return sum / elements;
  }

  private forward({ input, factors }: Pair): Tensor<"f32"> {
    const out = runBlock(this, input);
    return factors ? multiply(out, factors) : out;
  }
}

/** What a block gives for whole windows `[windows, length, hiddenSize]`. */
export function runBlock({ model, block }: BlockInModel, input: Tensor<"f32">): Tensor<"f32"> {
  // A pass without `untilStage` is never stopped on the way.
  return model.forwardBlock(block, input, { position: 0 }) as Tensor<"f32">;
}
