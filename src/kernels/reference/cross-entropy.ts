import type { TensorView } from "../../backend/kernels.ts";
import { floats, rowIndices } from "./arrays.ts";
import { logSumExp } from "./softmax.ts";

/** `losses [T] = log Σ exp(logits) − logits[target]`, in float64. */
export function crossEntropy(losses: TensorView, logits: TensorView, targets: TensorView): void {
  const vocabulary = logits.shape[1] ?? 0;
  const values = floats(logits);
  const output = floats(losses);
  const ids = rowIndices(targets, vocabulary);
  for (let t = 0; t < ids.length; t++) {
    const start = t * vocabulary;
    output[t] = logSumExp(values, start, vocabulary) - values[start + ids[t]];
  }
}
