import type { Kernels } from "../../../backend/kernels.ts";
import { integerFactor, saturate, scaleInteger } from "../../../quant/fixed-point.ts";
import { signedCode } from "../../../quant/integer-functions.ts";
import { asMatrix } from "../../../tensor/shape.ts";
import { floats, integers, rowIndices } from "../arrays.ts";

/** Code of 0 in unsigned rows that are rounded by their own magnitude. */
export const middleCode = 128;

/** Rows of a table of 8-bit integers, each times its factor. */
export const integerLookUp: Kernels["integerLookUp"] = (out, table, ids, factors) => {
  const { outFeatures, inFeatures, values } = table;
  const target = integers(out);
  for (const [token, id] of rowIndices(ids, outFeatures).entries()) {
    const [multiplier, shift] = [factors.multipliers[id], factors.shifts[id]];
    for (let i = 0; i < inFeatures; i++) {
      target[token * inFeatures + i] = scaleInteger(values[id * inFeatures + i], multiplier, shift);
    }
  }
};

/** Rounds int32 rows to 8 bits, by a fixed scale or each by its largest magnitude. */
export const integerRound: Kernels["integerRound"] = (codes, factors, x, fixed) => {
  const { rows, columns } = asMatrix(x.shape);
  const [source, target] = [integers(x), codes.storage as Uint8Array | Int8Array];
  if (fixed) {
    const { multiplier, shift, zeroPoint } = fixed;
    for (let i = 0; i < source.length; i++) {
      const code = zeroPoint + scaleInteger(source[i], multiplier, shift);
      target[i] = Math.min(Math.max(code, 0), 255);
    }
    return;
  }
  const middle = codes.dtype === "i8" ? 0 : middleCode;
  for (let row = 0; row < rows; row++) {
    const [start, end] = [row * columns, (row + 1) * columns];
    let largest = 0;
    for (let i = start; i < end; i++) largest = Math.max(largest, Math.abs(source[i]));
    for (let i = start; i < end; i++) target[i] = middle + signedCode(source[i], largest);
    if (factors) integers(factors).set(pairOf(integerFactor(largest)), 2 * row);
  }
};

/** Widens 8-bit codes to int32 in other units. */
export const integerWiden: Kernels["integerWiden"] = (out, codes, rule) => {
  const { zeroPoint, multiplier, shift } = rule;
  const [source, target] = [codes.storage as Uint8Array, integers(out)];
  for (let i = 0; i < target.length; i++) {
    target[i] = scaleInteger(source[i] - zeroPoint, multiplier, shift);
  }
};

/** Sums that saturate. */
export const integerAdd: Kernels["integerAdd"] = (out, a, b) => {
  const [left, right, target] = [integers(a), integers(b), integers(out)];
  for (let i = 0; i < target.length; i++) target[i] = saturate(left[i] + right[i]);
};

/** Integers times their unit. */
export const integerToFloat: Kernels["integerToFloat"] = (out, x, unit) => {
  const [source, target] = [integers(x), floats(out)];
  for (let i = 0; i < target.length; i++) target[i] = source[i] * unit;
};

/** A factor as it stands in tensors. */
export function pairOf(factor: { readonly multiplier: number; readonly shift: number }): number[] {
  return [factor.multiplier, factor.shift];
}
