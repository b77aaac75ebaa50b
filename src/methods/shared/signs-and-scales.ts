import { QTensor } from "../../quant/q-tensor.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { magnitudesOf } from "../../util/elementwise.ts";
import { floatsToHalves, halvesToFloats } from "../../util/half.ts";
import { squaredNorm } from "../../util/sums.ts";
import { timesVector } from "./rank-one.ts";

/** A matrix as `Ŵ[i, j] = rows[i]·signs[i, j]·columns[j]`. */
export interface SignsAndScales {
  /** −1 or 1, `[out, in]`. */
  readonly signs: Float32Array;
  readonly rows: Float64Array;
  readonly columns: Float64Array;
}

/** Codes of signs: 1 of what is not negative, else 0. */
export function codesOf(weights: Float32Array): Uint8Array {
  const codes = new Uint8Array(weights.length);
  for (let at = 0; at < codes.length; at++) codes[at] = weights[at] >= 0 ? 1 : 0;
  return codes;
}

/** −1 and 1 of weights; sign(0) = +1. */
function signsOf(weights: Float32Array): Float32Array {
  const signs = new Float32Array(weights.length);
  for (let at = 0; at < signs.length; at++) signs[at] = weights[at] < 0 ? -1 : 1;
  return signs;
}

/** `rows[i]·signs[i, j]·columns[j]`; either vector may be left out. */
export function scaledSigns(
  { signs, columns: { length } }: SignsAndScales,
  rows: Float64Array | null,
  columns: Float64Array | null,
): Float32Array {
  const scaled = new Float32Array(signs.length);
  for (let row = 0, at = 0; at < signs.length; row++) {
    const factor = rows ? rows[row] : 1;
    for (let j = 0; j < length; j++, at++) {
      scaled[at] = signs[at] * factor * (columns ? columns[j] : 1);
    }
  }
  return scaled;
}

/** The same matrix with scales that are not negative: signs take up theirs. */
function withPositiveScales(found: SignsAndScales): SignsAndScales {
  const { signs, rows, columns } = found;
  const isNegative = (scale: number): boolean => 1 / scale < 0;
  if (!rows.some(isNegative) && !columns.some(isNegative)) return found;
  const { length } = columns;
  const turned = new Float32Array(signs.length);
  for (let row = 0, at = 0; at < signs.length; row++) {
    const isTurned = rows[row] < 0;
    for (let j = 0; j < length; j++, at++) {
      turned[at] = isTurned !== columns[j] < 0 ? -signs[at] : signs[at];
    }
  }
  return { signs: turned, rows: rows.map(Math.abs), columns: columns.map(Math.abs) };
}

/**
 * The decomposition without data (ARB-RC, arXiv 2410.03129, algorithm 3): from row scales `mean|W|`
 * and column scales `mean|W/rows|` on, each is the least-squares answer to the other, so many times;
 * signs are those of W, and stay. What it gives is as it is stored.
 */
export async function alternateScales(
  weight: Tensor<"f32">,
  steps: number,
): Promise<SignsAndScales> {
  const [height = 0, width = 0] = weight.shape;
  const values = await weight.read();
  const magnitudes = Tensor.from(weight.backend, "f32", weight.shape, magnitudesOf(values));
  const signs = signsOf(values);
  const rowsFor = async (columns: Float64Array): Promise<Float64Array> =>
    byNorm(await timesVector(magnitudes, columns), columns);
  let rows = await timesVector(magnitudes, new Float32Array(width).fill(1 / width));
  const inverse = rows.map((scale) => (scale > 0 ? 1 / scale / height : 0));
  let columns = await timesVector(magnitudes, inverse, true);
  for (let step = 0; step < steps; step++) {
    rows = await rowsFor(columns);
    columns = byNorm(await timesVector(magnitudes, rows, true), rows);
  }
  const stored = await asStored({ signs, rows, columns }, async (found) => ({
    ...found,
    rows: await rowsFor(found.columns),
  }));
  magnitudes.release();
  return stored;
}

function byNorm(products: Float64Array, of: Float64Array): Float64Array {
  const square = squaredNorm(of);
  return products.map((product) => (square > 0 ? product / square : 0));
}

/**
 * As it is stored: scales that are not negative, of one norm, in float16; first those of columns, to
 * which `fitRows` fits those of rows anew.
 */
export async function asStored(
  found: SignsAndScales,
  fitRows: (found: SignsAndScales) => Promise<SignsAndScales>,
): Promise<SignsAndScales> {
  const { signs, rows, columns } = withPositiveScales(found);
  const ratio = (squaredNorm(columns) / squaredNorm(rows)) ** 0.25;
  const balanced = columns.map((scale) => (Number.isFinite(ratio) ? scale / (ratio || 1) : scale));
  const fitted = withPositiveScales(await fitRows({ signs, rows, columns: inHalf(balanced) }));
  return { ...fitted, rows: inHalf(fitted.rows) };
}

/** Rounded to float16. */
function inHalf(values: Float64Array): Float64Array {
  return Float64Array.from(halvesToFloats(floatsToHalves(Float32Array.from(values))));
}

/** Packs what `asStored` gives. */
export function packSigns({ signs, rows, columns }: SignsAndScales, scheme: Scheme): QTensor {
  const halves = (values: Float64Array): Uint16Array => floatsToHalves(Float32Array.from(values));
  return QTensor.pack(scheme, {
    outFeatures: rows.length,
    inFeatures: columns.length,
    codes: codesOf(signs),
    scales: halves(rows),
    inputScales: halves(columns),
  });
}
