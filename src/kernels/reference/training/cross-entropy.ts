import type { Kernels, TensorView } from "../../../backend/kernels.ts";
import { floats, integers } from "../arrays.ts";
import { ShapeError } from "../../../util/errors.ts";
import { logSumExp } from "../layers/softmax.ts";

/** `losses [T] = log Σ exp(logits) − logits[target]`, in float64; 0 for negative targets. */
export const crossEntropy: Kernels["crossEntropy"] = (losses, logits, targets) => {
  const vocabulary = logits.shape[1] ?? 0;
  const values = floats(logits);
  const output = floats(losses);
  const ids = targetIds(targets, vocabulary);
  for (let t = 0; t < ids.length; t++) {
    const start = t * vocabulary;
    const loss = logSumExp(values, start, vocabulary) - values[start + Math.max(ids[t], 0)];
    output[t] = ids[t] < 0 ? 0 : loss;
  }
};

/** `dLogits = scale·(softmax(logits) − onehot(target))`; rows with a negative target give 0. */
export const crossEntropyBackward: Kernels["crossEntropyBackward"] = (
  dLogits,
  logits,
  targets,
  scale,
) => {
  const vocabulary = logits.shape[1] ?? 0;
  const values = floats(logits);
  const output = floats(dLogits);
  const ids = targetIds(targets, vocabulary);
  for (let t = 0; t < ids.length; t++) {
    const start = t * vocabulary;
    const total = logSumExp(values, start, vocabulary);
    const factor = ids[t] < 0 ? 0 : scale;
    for (let i = start; i < start + vocabulary; i++) {
      output[i] = factor === 0 ? 0 : factor * Math.exp(values[i] - total);
    }
    output[start + Math.max(ids[t], 0)] -= factor;
  }
};

function targetIds(targets: TensorView, vocabulary: number): Int32Array {
  const ids = integers(targets);
  for (const id of ids) {
    if (id < vocabulary) continue;
    throw new ShapeError(`expected targets below ${vocabulary}, got ${id}`);
  }
  return ids;
}
