import type { Backend } from "../../../src/backend/backend.ts";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";
import { bfloatBitsToFloat } from "../../../src/util/half.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";
import { expectWithin } from "./expect-within.ts";

const reference = createReferenceBackend();

/**
 * Runs an op on a backend and on the reference, whose sums are float64, and expects the same
 * outputs: within `relative` of themselves and of the mean magnitude of the output, since terms
 * cancel.
 */
export async function expectLikeReference(
  backend: Backend,
  run: (backend: Backend) => readonly Tensor[],
  relative = 2e-6,
): Promise<void> {
  const expected = run(reference);
  const actual = run(backend);
  for (const [i, tensor] of actual.entries()) {
    const values = await numbersOf(expected[i]);
    const mean = values.reduce((sum, x) => sum + Math.abs(x), 0) / Math.max(1, values.length);
    const magnitudes = values.map((x) => Math.abs(x) + mean);
    expectWithin(await numbersOf(tensor), { values, magnitudes }, { relative, absolute: 1e-12 });
  }
}

async function numbersOf(tensor: Tensor): Promise<Float64Array> {
  const array = await tensor.read();
  if (tensor.dtype !== "bf16") return Float64Array.from(array as Float32Array);
  return Float64Array.from(array as Uint16Array, bfloatBitsToFloat);
}
