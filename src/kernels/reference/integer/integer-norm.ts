import type { Kernels } from "../../../backend/kernels.ts";
import { bitLength, scaleInteger, shiftRight } from "../../../quant/fixed-point.ts";
import { integerSqrt } from "../../../quant/integer-functions.ts";
import { asMatrix } from "../../../tensor/shape.ts";
import { integers } from "../arrays.ts";

/** Bits to which values are rounded before they are squared. */
const squaredBits = 17;
/** Bits of `n·eps` that stay. */
const epsilonBits = 48;
const weightBits = 22;

/** `weights · x/√(Σx² + epsilon)`, in units of 2^−30 (Zhang and Sennrich, arXiv 1910.07467). */
export const integerNorm: Kernels["integerNorm"] = (out, x, { weights, epsilon }) => {
  const { rows, columns } = asMatrix(x.shape);
  const [source, target] = [integers(x), integers(out)];
  for (let row = 0; row < rows; row++) {
    const values = source.subarray(row * columns, (row + 1) * columns);
    const factor = reciprocalRoot(values, epsilon);
    for (let i = 0; i < columns; i++) {
      const unit = factor ? scaleInteger(values[i], factor.multiplier, factor.shift) : 0;
      target[row * columns + i] = shiftRight(unit * weights[i], weightBits);
    }
  }
};

/** `2^30/√(Σx² + epsilon)` as a factor; null where the root is 0. */
function reciprocalRoot(
  values: Int32Array,
  epsilon: number,
): { readonly multiplier: number; readonly shift: number } | null {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  const shift = Math.max(
    largest === 0 ? -squaredBits : bitLength(largest) - squaredBits,
    Math.ceil((bitLength(epsilon) - epsilonBits) / 2),
  );
  let sum = Math.floor(epsilon / 4 ** shift);
  for (const value of values) {
    const rounded = shift > 0 ? shiftRight(value, shift) : value * 2 ** -shift;
    sum += rounded * rounded;
  }
  const root = integerSqrt(sum);
  if (root === 0) return null;
  const length = bitLength(root);
  const quotient = Math.min(Math.floor(2 ** (length + 24) / root), 2 ** 25 - 1);
  return { multiplier: quotient * 2 ** 6, shift: length + shift - 31 };
}
