import type { Hessian } from "../../calibration/statistics/hessian.ts";
import { Turns } from "../../platform/turns.ts";
import { matmul } from "../../tensor/products.ts";
import { accumulateGram, inverseCholesky } from "../../tensor/quantization-ops.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { weightedSum } from "../../util/elementwise.ts";
import { meanOf, sum } from "../../util/sums.ts";
import { timesVector } from "./rank-one.ts";
import { scaledSigns, type SignsAndScales } from "./signs-and-scales.ts";

/** A weight W `[out, in]` and what the errors of its outputs are measured by. */
export interface WeighedWeight {
  /** M `[in, in]`: second moments of the inputs, in units of their mean on the diagonal. */
  readonly moments: Tensor<"f32">;
  /** W·M `[out, in]`. */
  readonly products: Float32Array;
  /** `w·M·wᵀ` of each row. */
  readonly energies: Float64Array;
  /** Forms that were measured, by the column scales. */
  readonly known: WeakMap<Float64Array, Forms>;
}

/** `w·M·uᵀ` and `u·M·uᵀ` of each row, u = signs ⊙ g. */
interface Forms {
  readonly signs: Float32Array;
  readonly withWeight: Float64Array;
  readonly withItself: Float64Array;
}

/** Takes W with the second moments of its inputs. */
export async function weighBy(weight: Tensor<"f32">, hessian: Hessian): Promise<WeighedWeight> {
  const { size } = hessian;
  const mean = meanOf(await hessian.energies()) || 1;
  const gathered = await hessian.moments();
  const values = new Float32Array(gathered.length);
  for (let at = 0; at < values.length; at++) values[at] = gathered[at] / mean;
  const moments = Tensor.from(weight.backend, "f32", [size, size], values);
  const products = await product(weight, moments);
  const energies = rowDots(await weight.read(), products, size);
  return { moments, products, energies, known: new WeakMap() };
}

/** `(w − ŵ)·M·(w − ŵ)ᵀ` of each row. */
async function errorsOfRows(of: WeighedWeight, found: SignsAndScales): Promise<Float64Array> {
  const { rows } = found;
  const { withWeight, withItself } = await formsOf(of, found);
  return of.energies.map(
    (energy, i) => energy - 2 * rows[i] * withWeight[i] + rows[i] ** 2 * withItself[i],
  );
}

/** The row scales with the least error: `h = w·M·uᵀ/(u·M·uᵀ)`, u = signs ⊙ g (ARB-X). */
export async function fitRows(of: WeighedWeight, found: SignsAndScales): Promise<SignsAndScales> {
  const { withWeight, withItself } = await formsOf(of, found);
  const rows = withWeight.map((form, i) => (withItself[i] > 0 ? form / withItself[i] : 0));
  return { ...found, rows };
}

/**
 * The column scales with the least error, of all rows together: `G·g = r`, `G = M ⊙ VᵀV` and
 * `r[j] = Σ_i V[i, j]·(W·M)[i, j]` with V = h ⊙ signs. G is damped until it can be factorised.
 */
export async function fitColumns(
  { moments, products }: WeighedWeight,
  found: SignsAndScales,
): Promise<SignsAndScales> {
  const { backend } = moments;
  const [height, width] = [found.rows.length, found.columns.length];
  const scaled = scaledSigns(found, found.rows, null);
  const sums = new Float64Array(width);
  for (let at = 0; at < scaled.length; ) {
    for (let j = 0; j < width; j++, at++) sums[j] += scaled[at] * products[at];
  }
  const values = Tensor.from(backend, "f32", [height, width], scaled);
  const gram = Tensor.zeros(backend, "f64", [width, width]);
  accumulateGram(gram, values);
  values.release();
  // The upper triangle of a sum of outer products may be empty, and is not looked at.
  const inner = await gram.read();
  gram.release();
  await moments.look((m) => {
    for (let at = 0; at < inner.length; at++) inner[at] *= m[at];
  });
  const diagonal = Float64Array.from({ length: width }, (_, j) => inner[j * width + j]);
  const least = meanOf(diagonal) || 1;
  for (let damping = 1e-6; damping < 1; damping *= 10) {
    const damped = diagonal.map((x) => x + damping * least);
    const { u, status } = inverseCholesky(
      Tensor.from(backend, "f64", [width, width], inner.slice()),
      Tensor.from(backend, "f64", [width], damped),
    );
    if ((await status.read())[0] === 0) {
      // Damped towards the scales that were there.
      const right = sums.map((x, j) => x + damping * least * found.columns[j]);
      return { ...found, columns: await timesVector(u, await timesVector(u, right), true) };
    }
  }
  return found;
}

/**
 * Turns each sign whose turning makes the error of its row smaller, given those before it, until
 * none does, or for so many sweeps over the columns.
 */
export async function turnSigns(
  of: WeighedWeight,
  found: SignsAndScales,
  sweeps: number,
): Promise<SignsAndScales> {
  const { rows, columns } = found;
  const width = columns.length;
  const signs = found.signs.slice();
  const gradients = await gradientsOf(of, found);
  const turns = new Turns();
  const moments = await of.moments.read();
  for (const [i, scale] of rows.entries()) {
    const [from, to] = [i * width, (i + 1) * width];
    const row = { signs: signs.subarray(from, to), gradient: gradients.subarray(from, to) };
    for (let sweep = 0; sweep < sweeps; sweep++) {
      if (turnRow(row, scale, columns, moments) === 0) break;
      if (turns.due) await turns.give();
    }
  }
  return { ...found, signs };
}

/** One sweep over a row; returns how many signs were turned. */
function turnRow(
  { signs, gradient }: { signs: Float32Array; gradient: Float32Array },
  scale: number,
  columns: Float64Array,
  moments: Float32Array,
): number {
  const width = columns.length;
  let turned = 0;
  for (let j = 0; j < width; j++) {
    const move = -2 * scale * signs[j] * columns[j];
    if (!(2 * gradient[j] * move + move * move * moments[j * width + j] < 0)) continue;
    signs[j] = -signs[j];
    turned++;
    const start = j * width;
    for (let k = 0; k < width; k++) gradient[k] += move * moments[start + k];
  }
  return turned;
}

/** `(Ŵ − W)·M` */
async function gradientsOf(of: WeighedWeight, found: SignsAndScales): Promise<Float32Array> {
  const shape = [found.rows.length, found.columns.length];
  const values = scaledSigns(found, found.rows, found.columns);
  const decoded = Tensor.from(of.moments.backend, "f32", shape, values);
  const gradients = await product(decoded, of.moments);
  decoded.release();
  return weightedSum(1, gradients, -1, of.products);
}

/** Measures the forms once for the same signs and column scales, which nobody changes in place. */
async function formsOf(
  { moments, products, known }: WeighedWeight,
  found: SignsAndScales,
): Promise<Forms> {
  const earlier = known.get(found.columns);
  if (earlier?.signs === found.signs) return earlier;
  const width = found.columns.length;
  const values = scaledSigns(found, null, found.columns);
  const unscaled = Tensor.from(moments.backend, "f32", [found.rows.length, width], values.slice());
  const own = await product(unscaled, moments);
  unscaled.release();
  const forms = {
    signs: found.signs,
    withWeight: rowDots(values, products, width),
    withItself: rowDots(values, own, width),
  };
  known.set(found.columns, forms);
  return forms;
}

async function product(a: Tensor<"f32">, b: Tensor<"f32">): Promise<Float32Array> {
  const out = matmul(a, b);
  const values = await out.read();
  out.release();
  return values;
}

/** Products of the rows of two matrices of one width. */
function rowDots(a: Float32Array, b: Float32Array, width: number): Float64Array {
  const dots = new Float64Array(a.length / width);
  for (let row = 0, at = 0; row < dots.length; row++) {
    let sum = 0;
    for (let j = 0; j < width; j++, at++) sum += a[at] * b[at];
    dots[row] = sum;
  }
  return dots;
}

/** Sum of the errors of all rows. */
export async function errorOf(of: WeighedWeight, found: SignsAndScales): Promise<number> {
  return sum(await errorsOfRows(of, found));
}
