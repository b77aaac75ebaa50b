import type { Kernels } from "../../../backend/kernels.ts";
import type { IntegerGateOptions } from "../../../backend/integer-kernels.ts";
import {
  bitLength,
  integerFactor,
  saturate,
  scaleInteger,
  shiftRight,
} from "../../../quant/fixed-point.ts";
import { gateBits, geluFactor, signedCode, siluFactor } from "../../../quant/integer-functions.ts";
import { asMatrix } from "../../../tensor/shape.ts";
import { integers } from "../arrays.ts";
import { middleCode, pairOf } from "./integer-rows.ts";

const factorOf = { silu: siluFactor, gelu: geluFactor } as const;

/** Rounds `act(gate) · up` to 8 bits. */
export const integerGate: Kernels["integerGate"] = (codes, factors, gate, up, options) => {
  const { rows, columns } = asMatrix(gate.shape);
  const target = codes.storage as Uint8Array;
  for (let row = 0; row < rows; row++) {
    const [start, end] = [row * columns, (row + 1) * columns];
    const [gates, ups] = [integers(gate).subarray(start, end), integers(up).subarray(start, end)];
    const products = multiplyGate(gates, ups, options);
    if (options.fixed) roundFixed(target.subarray(start, end), products, options.fixed);
    else {
      const factor = roundByLargest(target.subarray(start, end), products);
      if (factors) integers(factors).set(pairOf(factor), 2 * row);
    }
  }
};

/** Products below 2^53, of which 2^52 is the largest for inputs below 2^26. */
function multiplyGate(
  gates: Int32Array,
  ups: Int32Array,
  { activation, input }: IntegerGateOptions,
): Float64Array {
  const factor = factorOf[activation];
  return Float64Array.from(gates, (gate, i) => {
    const x = scaleInteger(gate, input.multiplier, input.shift);
    return shiftRight(gate * factor(x), gateBits) * ups[i];
  });
}

function roundFixed(
  codes: Uint8Array,
  products: Float64Array,
  { bits, multiplier, shift, zeroPoint }: NonNullable<IntegerGateOptions["fixed"]>,
): void {
  for (const [i, product] of products.entries()) {
    const code = zeroPoint + scaleInteger(saturate(shiftRight(product, bits)), multiplier, shift);
    codes[i] = Math.min(Math.max(code, 0), 255);
  }
}

/** The products lose bits below 31 of the largest. */
function roundByLargest(
  codes: Uint8Array,
  products: Float64Array,
): { readonly multiplier: number; readonly shift: number } {
  let most = 0;
  for (const product of products) most = Math.max(most, Math.abs(product));
  const bits = Math.max(0, bitLength(most) - 31);
  const largest = Math.floor(most / 2 ** bits);
  for (const [i, product] of products.entries()) {
    const kept = Math.floor(Math.abs(product) / 2 ** bits);
    codes[i] = middleCode + signedCode(product < 0 ? 0 - kept : kept, largest);
  }
  const { multiplier, shift } = integerFactor(largest);
  return { multiplier, shift: shift - bits };
}
