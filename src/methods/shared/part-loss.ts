import type { Block, BlockPart, QuantizableModel } from "../../nn/quantizable-model.ts";
import { add } from "../../tensor/ops.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { throwIfCancelled } from "../../util/errors.ts";
import { squaredDistance, squaredNorm, sum } from "../../util/sums.ts";

/** Where the output of a part is compared. */
interface Place {
  readonly model: QuantizableModel;
  readonly block: Block;
  readonly signal?: AbortSignal | undefined;
}

/** How far an output moves when weights change. */
export interface OutputLoss {
  /** `Σ y²` with the weights as they were at first. */
  readonly energy: number;
  /** `Σ (y − ŷ)²` with the weights that are in the block now. */
  readonly measure: () => Promise<number>;
  /** Gives the memory back. */
  readonly release: () => void;
}

/**
 * Measures how far the output of a part of a block moves when weights in it change, over all
 * elements, against the output with the weights as they are; `inputs` are those of the whole block.
 */
export async function partLoss(
  { model, block, signal }: Place,
  part: BlockPart,
  inputs: readonly Tensor<"f32">[],
): Promise<OutputLoss> {
  const own =
    part === "attention" ? inputs : inputs.map((hidden) => behindAttention(model, block, hidden));
  const outputs: Float32Array[] = [];
  for (const input of own) {
    outputs.push(await readAndRelease(model.forwardPart(block, part, input)));
  }
  return {
    energy: sum(outputs.map(squaredNorm)),
    measure: async () => {
      let loss = 0;
      for (const [i, input] of own.entries()) {
        throwIfCancelled(signal);
        const output = await readAndRelease(model.forwardPart(block, part, input));
        loss += squaredDistance(output, outputs[i]);
      }
      return loss;
    },
    release: () => {
      if (part === "mlp") for (const input of own) input.release();
    },
  };
}

/** The residual stream between attention and MLP. */
function behindAttention(
  model: QuantizableModel,
  block: Block,
  hidden: Tensor<"f32">,
): Tensor<"f32"> {
  const attended = model.forwardPart(block, "attention", hidden);
  const between = add(hidden, attended);
  attended.release();
  return between;
}

async function readAndRelease(tensor: Tensor<"f32">): Promise<Float32Array> {
  const values = await tensor.read();
  tensor.release();
  return values;
}
