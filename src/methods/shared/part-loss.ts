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

/**
 * Measures how far the output of a part of a block moves when weights in it change: `Σ (y − ŷ)²`
 * over all elements of the inputs it was made with, against the output at the time it was made.
 */
export class PartLoss {
  /** `Σ y²` of the unchanged part. */
  readonly energy: number;
  private readonly place: Place;
  private readonly part: BlockPart;
  private readonly inputs: readonly Tensor<"f32">[];
  private readonly outputs: readonly Float32Array[];

  private constructor(
    place: Place,
    part: BlockPart,
    inputs: readonly Tensor<"f32">[],
    outputs: readonly Float32Array[],
  ) {
    this.place = place;
    this.part = part;
    this.inputs = inputs;
    this.outputs = outputs;
    this.energy = sum(outputs.map(squaredNorm));
  }

  /** Notes what a part does with its weights as they are; `inputs` are those of the whole block. */
  static async of(
    place: Place,
    part: BlockPart,
    inputs: readonly Tensor<"f32">[],
  ): Promise<PartLoss> {
    const { model, block } = place;
    const own: Tensor<"f32">[] = [];
    const outputs: Float32Array[] = [];
    for (const hidden of inputs) {
      const input = part === "attention" ? hidden : behindAttention(model, block, hidden);
      own.push(input);
      outputs.push(await readAndRelease(model.forwardPart(block, part, input)));
    }
    return new PartLoss(place, part, own, outputs);
  }

  /** Compares with the weights that are in the block now. */
  async measure(): Promise<number> {
    const { model, block, signal } = this.place;
    let loss = 0;
    for (const [i, input] of this.inputs.entries()) {
      throwIfCancelled(signal);
      const output = await readAndRelease(model.forwardPart(block, this.part, input));
      loss += squaredDistance(output, this.outputs[i]);
    }
    return loss;
  }

  /** Gives the memory back. */
  release(): void {
    if (this.part === "attention") return;
    for (const input of this.inputs) input.release();
  }
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
