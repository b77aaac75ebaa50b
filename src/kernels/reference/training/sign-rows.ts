import type { Kernels } from "../../../backend/kernels.ts";
import { floats } from "../arrays.ts";
import { meanBy } from "../row-means.ts";

const { fround } = Math;

/** `mean|x|` of each row. */
export const rowMagnitudes: Kernels["rowMagnitudes"] = (means, x) => {
  const rows = floats(means).length;
  const columns = rows === 0 ? 0 : floats(x).length / rows;
  for (let row = 0; row < rows; row++) {
    const values = floats(x).subarray(row * columns, (row + 1) * columns);
    floats(means)[row] = meanBy(values, Math.abs);
  }
};

/** `out = scales[r]·sign(x)`. */
export const signRows: Kernels["signRows"] = (out, x, scales) => {
  const [input, output] = [floats(x), floats(out)];
  const columns = input.length / Math.max(1, floats(scales).length);
  for (let i = 0; i < input.length; i++) {
    const scale = floats(scales)[Math.floor(i / columns)];
    output[i] = input[i] >= 0 ? scale : -scale;
  }
};

/** Gradients of `signRows`. */
export const signRowsBackward: Kernels["signRowsBackward"] = (
  { dX, dScales },
  dOut,
  x,
  scales,
  { peak, bound, isRelative, base },
) => {
  const [input, upstream] = [floats(x), floats(dOut)];
  const rows = floats(scales).length;
  const columns = rows === 0 ? 0 : input.length / rows;
  for (let row = 0; row < rows; row++) {
    const [start, end] = [row * columns, (row + 1) * columns];
    const width = isRelative ? Math.sqrt(meanBy(input.subarray(start, end), square)) : 1;
    const largest = fround(bound * width);
    const inside = fround(base + (peak === "one" ? 1 : floats(scales)[row]));
    let sum = 0;
    for (let i = start; i < end; i++) {
      sum += input[i] >= 0 ? upstream[i] : -upstream[i];
      floats(dX)[i] = upstream[i] * (Math.abs(input[i]) <= largest ? inside : fround(base));
    }
    if (dScales) floats(dScales)[row] = sum;
  }
};

/** Centres and clips rows in place. */
export const limitRows: Kernels["limitRows"] = (weight, centres, bound) => {
  const values = floats(weight);
  const columns = weight.shape.at(-1) ?? 1;
  for (let start = 0; start < values.length; start += columns) {
    const row = values.subarray(start, start + columns);
    const centre = centres ? fround(meanBy(row, (value) => value)) : 0;
    for (const [i, value] of row.entries()) {
      row[i] = Math.min(Math.max(fround(value - centre), -bound), bound);
    }
  }
};

const square = (value: number): number => value * value;
