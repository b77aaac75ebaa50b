import type { Kernels } from "../../../backend/kernels.ts";
import { tokenZeroPoint } from "../../../quant/activation-grid.ts";
import { roundHalfEven } from "../../../util/rounding.ts";
import { floats } from "../arrays.ts";

const { fround } = Math;

/** Rounds rows of activations to 8-bit codes. */
export const quantizeActivations: Kernels["quantizeActivations"] = (codes, scales, x, fixed) => {
  const values = floats(x);
  const rows = floats(scales).length;
  const columns = rows === 0 ? 0 : values.length / rows;
  const target = codes.storage as Uint8Array;
  const least = fixed ? 0 : 1;
  for (let row = 0; row < rows; row++) {
    const token = values.subarray(row * columns, (row + 1) * columns);
    const scale = fixed ? fround(fixed.scale) : magnitudeScale(token);
    const zeroPoint = fixed ? fixed.zeroPoint : tokenZeroPoint;
    floats(scales)[row] = scale;
    for (let i = 0; i < columns; i++) {
      const code = roundHalfEven(fround(token[i] / scale)) + zeroPoint;
      target[row * columns + i] = Math.min(Math.max(code, least), 255);
    }
  }
};

/** Widens 8-bit codes to float32. */
export const dequantizeActivations: Kernels["dequantizeActivations"] = (
  out,
  codes,
  scales,
  zeroPoint,
) => {
  const values = floats(out);
  const source = codes.storage as Uint8Array;
  const rows = floats(scales).length;
  const columns = rows === 0 ? 0 : values.length / rows;
  for (let i = 0; i < values.length; i++) {
    values[i] = floats(scales)[Math.floor(i / columns)] * (source[i] - zeroPoint);
  }
};

/** Least and largest value of each row. */
export const rowRanges: Kernels["rowRanges"] = (out, x) => {
  const ranges = floats(out);
  const rows = ranges.length / 2;
  const columns = rows === 0 ? 0 : floats(x).length / rows;
  for (let row = 0; row < rows; row++) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (const value of floats(x).subarray(row * columns, (row + 1) * columns)) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    ranges[2 * row] = low;
    ranges[2 * row + 1] = high;
  }
};

function magnitudeScale(token: Float32Array): number {
  let largest = 0;
  for (const value of token) largest = Math.max(largest, Math.abs(value));
  return fround(largest / 127) || 1;
}
