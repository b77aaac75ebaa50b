import type { Kernels, TensorView } from "../../../backend/kernels.ts";
import type { FakeQuantizeGroups, StraightThrough } from "../../../backend/training-kernels.ts";
import { floatToBfloatBits } from "../../../util/half.ts";
import { roundHalfEven } from "../../../util/rounding.ts";
import { floats } from "../arrays.ts";

/** A weight as a value of the grid in units of the scale; its slopes by weight, scale and zero. */
interface Rounded {
  value: number;
  byWeight: number;
  byScale: number;
  byZero: number;
}

/** Weights become values of a grid; see `StraightThrough`. */
export const fakeQuantize: Kernels["fakeQuantize"] = (out, weight, groups, how) => {
  const values = new Float32Array(floats(weight).length);
  forEachWeight(weight, groups, how, (i, { scale, offset }, { value }) => {
    values[i] = Math.fround(scale * value) + offset;
  });
  if (out.dtype === "f32") floats(out).set(values);
  else (out.storage as Uint16Array).set(Uint16Array.from(values, floatToBfloatBits));
};

/** Gradients of `fakeQuantize` by weights and by what groups have; these are summed in float64. */
export const fakeQuantizeBackward: Kernels["fakeQuantizeBackward"] = (
  { dWeight, dScales, dZeros, dOffsets, dShifts },
  dOut,
  weight,
  groups,
  how,
) => {
  const upstream = floats(dOut);
  const sums = [dScales, dZeros, dOffsets].map(
    (out) => new Float64Array(out ? floats(out).length : 0),
  );
  const [scaleSums, zeroSums, offsetSums] = sums;
  forEachWeight(weight, groups, how, (i, { index, scale }, rounded) => {
    const g = upstream[i];
    scaleSums[index] += g * rounded.byScale;
    zeroSums[index] += g * scale * rounded.byZero;
    offsetSums[index] += g * (1 - rounded.byWeight);
    if (dWeight) floats(dWeight)[i] = g * rounded.byWeight;
    if (dShifts) floats(dShifts)[i] = scale * g * rounded.byWeight;
  });
  if (dScales) floats(dScales).set(scaleSums);
  if (dZeros) floats(dZeros).set(zeroSums);
  if (dOffsets) floats(dOffsets).set(offsetSums);
};

/** Squared errors of `fakeQuantize`, weighted by column and summed over each group in float64. */
export const roundingErrors: Kernels["roundingErrors"] = (
  errors,
  importance,
  weight,
  groups,
  how,
) => {
  const columns = weight.shape[1] ?? 1;
  const values = floats(weight);
  const sums = new Float64Array(floats(errors).length);
  forEachWeight(weight, groups, how, (i, { index, scale, offset }, { value }) => {
    const error = Math.fround(Math.fround(scale * value) + offset) - values[i];
    sums[index] += (importance ? floats(importance)[i % columns] : 1) * error * error;
  });
  floats(errors).set(sums);
};

/** `out = s·rne(x/s)` a row, `s = max|x|/levels`. */
export const fakeQuantizeRows: Kernels["fakeQuantizeRows"] = (out, x, levels) => {
  const columns = x.shape.at(-1) ?? 1;
  const input = floats(x);
  const output = floats(out);
  for (let start = 0; start < input.length; start += columns) {
    let largest = 0;
    for (let i = start; i < start + columns; i++) largest = Math.max(largest, Math.abs(input[i]));
    const scale = Math.fround(largest / levels);
    for (let i = start; i < start + columns; i++) {
      output[i] = scale === 0 ? 0 : scale * roundHalfEven(Math.fround(input[i] / scale));
    }
  }
};

/** A group of a row as it is visited. */
interface Group {
  index: number;
  scale: number;
  offset: number;
}

function forEachWeight(
  weight: TensorView,
  { scales, zeros, offsets, shifts, groupSize }: FakeQuantizeGroups,
  how: StraightThrough,
  visit: (index: number, group: Group, rounded: Rounded) => void,
): void {
  const [rows = 0, columns = 0] = weight.shape;
  const groups = Math.ceil(columns / groupSize);
  const values = floats(weight);
  const rounded: Rounded = { value: 0, byWeight: 0, byScale: 0, byZero: 0 };
  const group: Group = { index: 0, scale: 1, offset: 0 };
  const round = rules[how.rule];
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, i++) {
      const index = row * groups + Math.floor(column / groupSize);
      group.index = index;
      if (scales) group.scale = floats(scales)[index];
      if (offsets) group.offset = floats(offsets)[index];
      const zero = zeros ? floats(zeros)[index] : 0;
      const distance = Math.fround(values[i] - group.offset);
      const u = group.scale === 0 ? distance / Infinity : Math.fround(distance / group.scale);
      const t = shifts ? Math.fround(u + floats(shifts)[i]) : u;
      round(rounded, { u, t, zero }, how);
      if (!scales && how.rule === "sign") rounded.byWeight = 1.001 - Math.tanh(t) ** 2;
      visit(i, group, rounded);
    }
  }
}

/** A weight in units of the scale, without its shift and with it, and the zero point of its group. */
interface Ratio {
  readonly u: number;
  readonly t: number;
  readonly zero: number;
}

type Round = (rounded: Rounded, ratio: Ratio, how: StraightThrough) => void;

const rules: Readonly<Record<StraightThrough["rule"], Round>> = {
  round: (rounded, { u, t }, how) => {
    const { low, high, resolution, shift, lowSlope, highSlope, passOutside } = how;
    const clipped = Math.min(Math.max(t, Math.fround(low)), Math.fround(high));
    const code = roundHalfEven(Math.fround(Math.fround(clipped * resolution) - shift));
    rounded.value = (code + shift) / resolution;
    const inside = clipped === t;
    rounded.byWeight = inside || passOutside ? 1 : 0;
    rounded.byScale = inside ? rounded.value - u : t < clipped ? lowSlope : highSlope;
  },
  "zero-point": (rounded, { u, t, zero }, { high }) => {
    const wholeZero = roundHalfEven(zero);
    const z = Math.min(Math.max(wholeZero, 0), high);
    const code = roundHalfEven(t) + z;
    const clipped = Math.min(Math.max(code, 0), high);
    const inside = clipped === code ? 1 : 0;
    rounded.value = clipped - z;
    rounded.byWeight = inside;
    rounded.byScale = rounded.value - inside * u;
    rounded.byZero = wholeZero === z ? inside - 1 : 0;
  },
  sign: (rounded, { t }) => {
    rounded.value = t < 0 ? -1 : 1;
    rounded.byWeight = Math.abs(t) <= 1 ? 1 : 0;
    rounded.byScale = rounded.value;
  },
};
