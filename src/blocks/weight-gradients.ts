import { rowOfId } from "../calibration/image-conversations.ts";
import type { Block } from "../nn/quantizable-model.ts";
import { writeRows } from "../tensor/cache-ops.ts";
import { cast } from "../tensor/ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { crossEntropyGradient } from "../tensor/training-ops.ts";
import { lossByRows } from "../training/loss-by-rows.ts";
import { type OriginalBlocks, takenGradient } from "./original-blocks.ts";

/** Gradients of a block for some windows. */
interface WeightGradients {
  readonly weights: readonly Tensor<"f32">[];
  /** Of the shapes of the weights; squares are added to them. */
  readonly sums: readonly Tensor<"f32">[];
  /** What the block gets, and the gradient by what it gives: `[windows, length, hiddenSize]`. */
  readonly input: Tensor<"f32">;
  readonly gradient: Tensor<"f32">;
}

/**
 * Adds the squares of the gradients by weights of a block, of each window by itself, which is in
 * memory by itself.
 * @returns the gradient by `input`
 */
export async function addSquaredGradients(
  blocks: OriginalBlocks,
  block: Block,
  { weights, sums, input, gradient }: WeightGradients,
): Promise<Tensor<"f32">> {
  const { backend } = blocks.model;
  const [windows = 0, length = 0, width = 0] = input.shape;
  const before = Tensor.empty(backend, "f32", input.shape);
  const rows = before.reshape([1, windows * length, width]);
  for (let window = 0; window < windows; window++) {
    const own = input.slice(window, window + 1) as Tensor<"f32">;
    const tape = blocks.open();
    try {
      tape.watch(own, ...weights);
      const out = tape.run(() => blocks.forward(block, own));
      tape.backward([[out, cast(gradient.slice(window, window + 1), "f32")]]);
      for (const [i, weight] of weights.entries()) addSquares(sums[i], tape.takeGradient(weight));
      const ofInput = takenGradient(tape, own);
      writeRows(rows, ofInput, window * length);
      ofInput.release();
    } finally {
      tape.release();
    }
    await backend.synchronize();
  }
  return before;
}

/** `sum += gradient²`, of a gradient that it takes over; null where nothing depends on the weight. */
function addSquares(sum: Tensor<"f32">, gradient: Tensor<"f32"> | null): void {
  if (!gradient) return;
  const { kernels } = sum.backend;
  kernels.multiply(gradient, gradient, gradient);
  kernels.add(sum, sum, gradient);
  gradient.release();
}

/** The gradient of `Σ −log p(next token)` by what the last block gives. */
export async function gradientOfLoss(
  blocks: OriginalBlocks,
  last: Tensor<"f32">,
  windows: readonly Int32Array[],
): Promise<Tensor<"f32">> {
  const { model } = blocks;
  const [{ outFeatures: vocabularySize }] = model.embeddingAndHead();
  const { rows, targets } = predictedTokens(windows);
  const tape = blocks.open();
  try {
    tape.watch(last);
    const flat = last.reshape([last.size / model.hiddenSize, model.hiddenSize]);
    const losses = lossByRows(
      tape,
      { model, vocabularySize },
      flat,
      { rows },
      (logits, { indices }) => {
        const next = indices.map((row) => targets[row]);
        const wanted = Tensor.from(model.backend, "i32", [next.length], next);
        const { losses: values, gradient } = crossEntropyGradient(logits, wanted, 1);
        wanted.release();
        return { values, gradient };
      },
    );
    for (const loss of losses) loss.release();
    tape.backward([]);
    return takenGradient(tape, last);
  } finally {
    await model.backend.synchronize();
    tape.release();
  }
}

/** Tokens of windows, one after the other, that predict the next, and what each is to predict. */
function predictedTokens(windows: readonly Int32Array[]): {
  readonly rows: Int32Array;
  readonly targets: Int32Array;
} {
  const length = windows[0].length;
  const targets = new Int32Array(windows.length * length).fill(-1);
  for (const [i, window] of windows.entries()) targets.set(window.subarray(1), i * length);
  // Images in a text are shown, and not predicted.
  const rows = [...targets.keys()].filter(
    (row) => row % length < length - 1 && rowOfId(targets[row]) === null,
  );
  return { rows: Int32Array.from(rows), targets };
}
