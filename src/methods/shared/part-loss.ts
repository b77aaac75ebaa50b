import type { Block, BlockPart, QuantizableModel } from "../../nn/quantizable-model.ts";
import { scaleRows } from "../../tensor/quantization-ops.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { throwIfCancelled } from "../../util/errors.ts";
import { squaredDistance, squaredNorm, sum } from "../../util/sums.ts";

/** Where the output of a part is compared. */
interface Place {
  readonly model: QuantizableModel;
  readonly block: Block;
  readonly signal?: AbortSignal | undefined;
}

/** Inputs of a block, and what its tokens weigh. */
export interface WeighedInputs {
  /** `[windows, length, hiddenSize]` each. */
  readonly inputs: readonly Tensor<"f32">[];
  /** Square roots of the weights of tokens behind the block, `[tokens]`; null: all weigh 1. */
  readonly tokenFactors: readonly Tensor<"f32">[] | null;
}

/** How far an output moves when weights change. */
export interface OutputLoss {
  /** `Σ y²` with the weights as they were at first; of an MLP's outputs times the factors. */
  readonly energy: number;
  /** `Σ (y − ŷ)²` with the weights that are in the block now, of the same. */
  readonly measure: () => Promise<number>;
  /** Gives the memory back. */
  readonly release: () => void;
}

/**
 * Measures how far the output of a part of a block moves when weights in it change, over all
 * elements and runs of the block, against the output with the weights as they are; `inputs` are
 * those of the whole block.
 */
export async function partLoss(
  { model, block, signal }: Place,
  part: BlockPart,
  { inputs, tokenFactors }: WeighedInputs,
): Promise<OutputLoss> {
  const own = inputs.flatMap((hidden, index) =>
    model.partInputs(block, part, hidden).map((input) => ({
      input,
      isOwn: input !== hidden,
      factors: (part === "mlp" && tokenFactors?.[index]) || null,
    })),
  );
  const read = (index: number): Promise<Float32Array> => {
    const { input, factors } = own[index];
    return readScaled(model.forwardPart(block, part, input), factors);
  };
  const outputs: Float32Array[] = [];
  for (const index of own.keys()) outputs.push(await read(index));
  return {
    energy: sum(outputs.map(squaredNorm)),
    measure: async () => {
      let loss = 0;
      for (const [i, output] of outputs.entries()) {
        throwIfCancelled(signal);
        loss += squaredDistance(await read(i), output);
      }
      return loss;
    },
    release: () => {
      for (const { input, isOwn } of own) if (isOwn) input.release();
    },
  };
}

/** Reads a tensor, each row times its factor, and gives its memory back. */
async function readScaled(
  output: Tensor<"f32">,
  factors: Tensor<"f32"> | null,
): Promise<Float32Array> {
  const scaled = factors ? scaleRows(output, factors) : output;
  const values = await scaled.read();
  if (scaled !== output) scaled.release();
  output.release();
  return values;
}
