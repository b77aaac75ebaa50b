import { runBlock } from "../methods/shared/block-loss.ts";
import { divergencesByRows } from "../methods/shared/divergence-loss.ts";
import type { Block } from "../nn/quantizable-model.ts";
import { joinPath } from "../platform/node.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ActivationCache } from "./activations.ts";
import type { BlockJob } from "./block-job.ts";
import { OriginalBlocks, takenGradient } from "./original-blocks.ts";

/** The residual streams in front of a block out of quantized ones, and behind the original's. */
export interface Streams {
  readonly quantized: ActivationCache;
  readonly original: ActivationCache;
}

/**
 * Gradients of the divergence of a model's predictions from the original's by the outputs of a block
 * (`WholeBlockProblem.outputGradients`): a few windows at a time go through the blocks behind it, of
 * which one is in memory at a time, as they are in the original, and come back in reverse order. In
 * memory, or on the disk where activations are kept there.
 */
export async function outputGradients(
  block: Block,
  { index, model, streams, report, signal }: BlockJob,
  { quantized, original }: Streams,
): Promise<ActivationCache> {
  const folder = streams?.folder ?? null;
  const path = folder && joinPath(folder, `gradients-${index}`);
  await model.loadEmbeddingAndHead();
  try {
    const rest = new RestOfModel(new OriginalBlocks(model, signal), index + 1);
    const change = async (input: Tensor<"f32">, expected: Tensor<"f32">) => {
      report("gradients of the outputs");
      return rest.gradientBy(runBlock({ model, block }, input), expected);
    };
    return await quantized.mapWith(original, change, { path, signal });
  } finally {
    model.releaseEmbeddingAndHead();
  }
}

/** The blocks from one on, and the head. */
class RestOfModel {
  private readonly blocks: OriginalBlocks;
  private readonly from: number;

  constructor(blocks: OriginalBlocks, from: number) {
    this.blocks = blocks;
    this.from = from;
  }

  /**
   * The gradient by `output`, which it takes over, of how far predictions from there are from those
   * of `expected`, both `[windows, length, hiddenSize]`.
   */
  async gradientBy(output: Tensor<"f32">, expected: Tensor<"f32">): Promise<Tensor<"f32">> {
    const { blocks, from } = this;
    const { blockCount } = blocks.model;
    const inputs: Tensor<"f32">[] = [output];
    let wanted = expected;
    for (let index = from; index < blockCount; index++) {
      await blocks.with(index, (block) => {
        inputs.push(blocks.forward(block, inputs[index - from]));
        const next = blocks.forward(block, wanted);
        if (wanted !== expected) wanted.release();
        wanted = next;
      });
    }
    let gradient = await this.gradientByLast(inputs[blockCount - from], wanted);
    if (wanted !== expected) wanted.release();
    for (let index = blockCount - 1; index >= from; index--) {
      const input = inputs[index - from];
      await blocks.with(index, (block) => {
        gradient = this.backward(input, gradient, () => blocks.forward(block, input));
      });
      input.release();
    }
    return gradient;
  }

  /** The gradient by what the last block gives, which is released. */
  private async gradientByLast(last: Tensor<"f32">, wanted: Tensor<"f32">): Promise<Tensor<"f32">> {
    const { model } = this.blocks;
    const [{ outFeatures: vocabularySize }] = model.embeddingAndHead();
    const tokens = last.size / model.hiddenSize;
    const rows = Int32Array.from({ length: tokens }, (_, row) => row);
    const flat = [tokens, model.hiddenSize];
    const predictor = { model, vocabularySize };
    const tape = this.blocks.open();
    try {
      tape.watch(last);
      const divergences = divergencesByRows(
        { teacher: predictor, hidden: wanted.reshape(flat) },
        { tape, student: predictor, hidden: last.reshape(flat) },
        { rows },
        1,
      );
      for (const of of divergences) of.release();
      tape.backward([]);
      return takenGradient(tape, last);
    } finally {
      await model.backend.synchronize();
      tape.release();
    }
  }

  private backward(
    input: Tensor<"f32">,
    gradient: Tensor<"f32">,
    forward: () => Tensor<"f32">,
  ): Tensor<"f32"> {
    const tape = this.blocks.open();
    try {
      tape.watch(input);
      tape.backward([[tape.run(forward), gradient]]);
      return takenGradient(tape, input);
    } finally {
      tape.release();
    }
  }
}
