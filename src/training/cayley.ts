import type { Backend } from "../backend/backend.ts";
import type { MatmulOptions } from "../backend/kernels.ts";
import { copyInto } from "../tensor/ops.ts";
import { matmul } from "../tensor/products.ts";
import { Tensor } from "../tensor/tensor.ts";
import { scaledFloats, transposed, weightedSum } from "../util/elementwise.ts";
import { squaredNorm } from "../util/sums.ts";
import type { Optimizer, OptimizerStep } from "./optimizer.ts";
import { momentumState } from "./momentum-state.ts";
import { expectGroups, type Gradients, type Parameter } from "./parameter.ts";

/** What the rotations of one group have in common. */
export interface CayleyGroup {
  /** Largest step; the schedule's factor multiplies it. */
  readonly learningRate: number;
  /** Whether a vector of ones stays as it is. Default false. */
  readonly keepsOnes?: boolean;
}

/** How Cayley SGD (arXiv 2002.01113, algorithm 1) moves square matrices that stay orthogonal. */
export interface CayleySettings {
  readonly kind: "cayley";
  /** By the name that `Parameter.group` has. */
  readonly groups: Readonly<Record<string, CayleyGroup>>;
  /** Factor on the momentum of earlier steps. Default 0. */
  readonly momentum?: number;
}

/** Cayley SGD over orthogonal matrices `[n, n]`; momenta begin at 0. */
export class CayleySgd implements Optimizer {
  readonly state: ReadonlyMap<string, Tensor<"f32">>;
  private readonly parameters: readonly Parameter[];
  private readonly settings: CayleySettings;

  /** @throws UsageError when a parameter's group has no settings, or one is out of range */
  constructor(parameters: readonly Parameter[], settings: CayleySettings) {
    expectGroups(parameters, settings.groups);
    this.parameters = parameters;
    this.settings = settings;
    this.state = momentumState(parameters, settings.momentum ?? 0, "momentum");
  }

  async step(gradients: Gradients, { rate, gradientScale }: OptimizerStep): Promise<void> {
    const { momentum = 0, groups } = this.settings;
    for (const [i, { name, value, group }] of this.parameters.entries()) {
      const gradient = await gradients[i]?.read();
      if (!gradient) continue;
      const { learningRate, keepsOnes = false } = groups[group];
      const earlier = this.state.get(`${name}:momentum`);
      const own = new SquareProducts(value.backend, value.shape[0] ?? 0);
      const moved = await cayleyStep(
        own,
        {
          rotation: await value.read(),
          momentum: (await earlier?.read()) ?? new Float32Array(gradient.length),
        },
        scaledFloats(gradient, gradientScale),
        { learningRate: learningRate * rate, momentum, keepsOnes },
      );
      own.write(value, await orthonormalize(own, moved.rotation));
      if (earlier) own.write(earlier, moved.momentum);
    }
  }

  release(): void {
    for (const momentum of this.state.values()) momentum.release();
  }
}

/** Products of matrices `[n, n]` in float32 on a backend, of arrays. */
export class SquareProducts {
  readonly size: number;
  private readonly backend: Backend;

  constructor(backend: Backend, size: number) {
    this.backend = backend;
    this.size = size;
  }

  async multiply(
    a: Float32Array,
    b: Float32Array,
    options: MatmulOptions = {},
  ): Promise<Float32Array> {
    const [left, right] = [this.upload(a.slice()), this.upload(b.slice())];
    const product = matmul(left, right, options);
    const values = await product.read();
    for (const tensor of [left, right, product]) tensor.release();
    return values;
  }

  /** Overwrites a tensor `[n, n]`. */
  write(tensor: Tensor<"f32">, values: Float32Array): void {
    copyInto(tensor, this.upload(values));
  }

  private upload(values: Float32Array): Tensor<"f32"> {
    return Tensor.from(this.backend, "f32", [this.size, this.size], values);
  }
}

/** A rotation and the momentum of its steps, `[n, n]` each. */
export interface CayleyState {
  readonly rotation: Float32Array;
  readonly momentum: Float32Array;
}

/** Iterations of the fixed point that stands for the inverse in Cayley's transform. */
const iterations = 5;
/** Largest `‖α·W‖₁` with which the fixed point is sure to be reached. */
const contraction = 1;

/**
 * One step of Cayley SGD with momentum from rotation R (rows scaled to length 1), momentum M and
 * gradient G, in the arithmetic of the authors' optimizer: `V = β·M − Gᵀ`, `Ŵ = V·R − ½·Rᵀ·R·V·R`,
 * `W = Ŵ − Ŵᵀ`, `α = min(1/‖W‖₁, learning rate)`; `Y ← Rᵀ + α·V`, then five times
 * `Y ← Rᵀ + α/2·W·(Rᵀ + Y)`. The rotation becomes Yᵀ, the momentum `W·Rᵀ`. Nearly orthogonal: see
 * `orthonormalize`.
 *
 * With `keepsOnes` V moves within what is orthogonal to a vector of ones.
 */
export async function cayleyStep(
  products: SquareProducts,
  { rotation, momentum: earlier }: CayleyState,
  gradient: Float32Array,
  how: { readonly learningRate: number; readonly momentum: number; readonly keepsOnes: boolean },
): Promise<CayleyState> {
  const { size } = products;
  const r = unitRows(rotation, size);
  const x = transposed(r, size);
  const g = transposed(how.keepsOnes ? withoutMeans(gradient, size) : gradient, size);
  const v = weightedSum(how.momentum, earlier, -1, g);
  const vr = await products.multiply(v, r);
  const projected = await products.multiply(x, await products.multiply(r, vr));
  const half = weightedSum(1, vr, -0.5, projected);
  const w = weightedSum(1, half, -1, transposed(half, size));
  const alpha = Math.min(contraction / (largestColumn(w, size) + 1e-8), how.learningRate);
  let y = weightedSum(1, x, alpha, v);
  for (let i = 0; i < iterations; i++) {
    const middle = weightedSum(0.5, x, 0.5, y);
    const moved = await products.multiply(w, middle);
    y = weightedSum(1, x, alpha, moved);
  }
  return { rotation: transposed(y, size), momentum: await products.multiply(w, x) };
}

/** Rounds of Newton and Schulz: each squares the distance from an orthogonal matrix. */
const polishing = 2;

/** The orthogonal matrix nearest to one that nearly is: `R ← ½·R·(3 − Rᵀ·R)`. */
export async function orthonormalize(
  products: SquareProducts,
  rotation: Float32Array,
): Promise<Float32Array> {
  let r = rotation;
  for (let i = 0; i < polishing; i++) {
    const square = await products.multiply(r, r, { transposeA: true });
    const again = await products.multiply(r, square);
    r = weightedSum(1.5, r, -0.5, again);
  }
  return r;
}

function unitRows(r: Float32Array, size: number): Float32Array {
  const out = r.slice();
  for (let at = 0; at < r.length; at += size) {
    const row = out.subarray(at, at + size);
    const length = Math.sqrt(squaredNorm(row)) + 1e-8;
    for (let j = 0; j < size; j++) row[j] /= length;
  }
  return out;
}

/** Largest sum of magnitudes of a column. */
function largestColumn(w: Float32Array, size: number): number {
  const sums = new Float64Array(size);
  for (let at = 0; at < w.length; ) {
    for (let j = 0; j < size; j++, at++) sums[j] += Math.abs(w[at]);
  }
  return sums.reduce((most, sum) => Math.max(most, sum), 0);
}

/** Takes the means of rows and columns off. */
function withoutMeans(g: Float32Array, size: number): Float32Array {
  const [rows, columns] = [new Float64Array(size), new Float64Array(size)];
  for (let row = 0, at = 0; row < size; row++) {
    for (let j = 0; j < size; j++, at++) {
      rows[row] += g[at] / size;
      columns[j] += g[at] / size;
    }
  }
  const mean = rows.reduce((sum, value) => sum + value, 0) / size;
  const out = new Float32Array(g.length);
  for (let row = 0, at = 0; row < size; row++) {
    for (let j = 0; j < size; j++, at++) out[at] = g[at] - rows[row] - columns[j] + mean;
  }
  return out;
}
