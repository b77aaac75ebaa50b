import type { Backend } from "../backend/backend.ts";
import type { TrainableModel } from "../nn/trainable-model.ts";
import { crossEntropy } from "../tensor/ops.ts";
import { Tensor, tidy } from "../tensor/tensor.ts";
import { nextTokenTargets, type Windows } from "../training/token-batches.ts";
import { throwIfCancelled } from "../util/errors.ts";

const tokensPerPass = 2048;

/**
 * Measures the mean cross-entropy of the next token over the first `most` windows, in float32.
 * @throws CancelledError when `signal` is aborted
 */
export async function validationLoss(
  backend: Backend,
  model: TrainableModel,
  windows: Windows,
  most: number,
  signal?: AbortSignal,
): Promise<number> {
  const { length } = windows;
  const count = Math.min(most, windows.count);
  const perPass = Math.max(1, Math.floor(tokensPerPass / length));
  let total = 0;
  for (let first = 0; first < count; first += perPass) {
    throwIfCancelled(signal);
    const rows = Math.min(perPass, count - first);
    const ids = new Int32Array(rows * length);
    for (let row = 0; row < rows; row++) ids.set(windows.at(first + row), row * length);
    for (const loss of await lossesOf(backend, model, ids, length)) total += loss;
  }
  return total / (count * (length - 1));
}

async function lossesOf(
  backend: Backend,
  model: TrainableModel,
  ids: Int32Array,
  length: number,
): Promise<Float32Array> {
  const input = Tensor.from(backend, "i32", [ids.length / length, length], ids);
  const targets = Tensor.from(backend, "i32", [ids.length], nextTokenTargets(ids, length));
  const losses = tidy(() => crossEntropy(model.forward(input), targets));
  const values = await losses.read();
  losses.release();
  return values;
}
