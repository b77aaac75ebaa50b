import type { Block, QuantizableModel } from "../nn/quantizable-model.ts";
import type { WeightSource } from "../nn/weight-source.ts";
import { joinPath } from "../platform/node.ts";
import { add, cast } from "../tensor/ops.ts";
import { type Tensor, tidy } from "../tensor/tensor.ts";
import { throwIfCancelled } from "../util/errors.ts";
import type { ActivationCache } from "./activations.ts";

/** What going through the experts of a block takes. */
export interface ExpertWalk {
  readonly model: QuantizableModel;
  /** Its index. */
  readonly index: number;
  /** Loaded without experts. */
  readonly block: Block;
  /** Folder for activations on the disk; null keeps them in memory. */
  readonly folder: string | null;
  /** Where experts are read from; the model's own source when absent. */
  readonly source?: WeightSource | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads the experts of a block one after the other, hands each to `visit` with the inputs of the
 * block's MLP, and gives it back.
 */
export async function forEachExpert(
  { model, index, block, source, signal }: ExpertWalk,
  visit: (expert: Block) => Promise<void>,
): Promise<void> {
  for (let number = 0; number < model.expertCount(index); number++) {
    throwIfCancelled(signal);
    const expert = await model.loadExpert(block, number, source);
    await visit(expert);
    model.releaseBlock(expert);
  }
}

/**
 * Runs a stream through a block whose experts are in memory one at a time: attention and what every
 * token goes to first, then each expert, to which `visit` may do something before it is run.
 * @returns what the block puts out, in float32; the caller releases it
 */
export async function runByExpert(
  stream: ActivationCache,
  walk: ExpertWalk,
  visit: (expert: Block, inputs: ActivationCache) => Promise<void> = async () => {},
): Promise<ActivationCache> {
  const { model, block, folder, signal } = walk;
  const path = (name: string): string | null => folder && joinPath(folder, name);
  const behindAttention = (hidden: Tensor<"f32">): Tensor<"f32"> =>
    model.partInputs(block, "mlp", hidden)[0];
  const inputs = await stream.map(behindAttention, { path: path("inputs"), signal });
  try {
    const begin = (hidden: Tensor<"f32">): Tensor<"f32"> =>
      tidy(() => add(hidden, model.forwardPart(block, "mlp", hidden)));
    const sum = await inputs.map(begin, { path: path("sums"), signal });
    await forEachExpert(walk, async (expert) => {
      await visit(expert, inputs);
      const addTo = (own: Tensor<"f32">, hidden: Tensor<"f32">): Tensor<"f32"> =>
        tidy(() => {
          const given = model.forwardBlock(expert, hidden, { position: 0 });
          return given ? add(own, given) : cast(own, "f32");
        });
      await sum.merge(inputs, addTo, { what: `the outputs of ${block.name}`, signal });
    });
    return sum;
  } finally {
    await inputs.release();
  }
}
