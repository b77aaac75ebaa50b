import { matmul } from "../../tensor/products.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { Prng } from "../../util/prng.ts";
import { squaredDistance, squaredNorm } from "../../util/sums.ts";

/** A non-negative matrix as `M ≈ a·bᵀ`; a `[rows]` and b `[columns]` have one norm. */
export interface OuterProduct {
  readonly a: Float64Array;
  readonly b: Float64Array;
}

/** When the steps of a decomposition end. */
export interface StopRule {
  /** Steps at most. */
  readonly iterations: number;
  /** Relative change of b in a step below which the work is done. */
  readonly tolerance: number;
}

/**
 * Finds the best `a·bᵀ` of a non-negative matrix M `[rows, columns]` by power iteration:
 * `u ← M·v/‖M·v‖`, `σ·v ← Mᵀ·u`, `a = √σ·u`, `b = √σ·v`. Started from a positive vector both stay
 * non-negative, and they are the leading singular vectors (Perron and Frobenius).
 */
export async function leadingSingularPair(
  matrix: Tensor<"f32">,
  { iterations, tolerance }: StopRule,
): Promise<OuterProduct> {
  const [rows = 0, columns = 0] = matrix.shape;
  let v = new Float64Array(columns).fill(columns ** -0.5);
  let u = new Float64Array(rows);
  let sigma = 0;
  for (let step = 0; step < iterations; step++) {
    u = normalise(await timesVector(matrix, v)).vector;
    const next = normalise(await timesVector(matrix, u, true));
    const change = Math.sqrt(squaredDistance(next.vector, v));
    sigma = next.norm;
    v = next.vector;
    if (change <= tolerance) break;
  }
  const root = Math.sqrt(sigma);
  return { a: u.map((x) => root * x), b: v.map((x) => root * x) };
}

/**
 * Factors a non-negative matrix M `[rows, columns]` into `a·bᵀ`, a, b ≥ 0, by multiplicative
 * updates from a random start: `a ← a ⊙ (M·b)/(a·bᵀb)`, `b ← b ⊙ (Mᵀ·a)/(b·aᵀa)`. Source: D. Lee
 * and H. Seung, Algorithms for non-negative matrix factorization, 2000, theorem 1, at rank 1.
 */
export async function nonNegativeFactors(
  matrix: Tensor<"f32">,
  prng: Prng,
  { iterations, tolerance }: StopRule,
): Promise<OuterProduct> {
  const [rows = 0, columns = 0] = matrix.shape;
  const random = (length: number): Float64Array =>
    Float64Array.from({ length }, () => Math.abs(prng.normal()) + 1e-3);
  let a = random(rows);
  let b = random(columns);
  for (let step = 0; step < iterations; step++) {
    a = updated(a, await timesVector(matrix, b), squaredNorm(b));
    const next = updated(b, await timesVector(matrix, a, true), squaredNorm(a));
    const change = Math.sqrt(squaredDistance(next, b)) / Math.sqrt(squaredNorm(next) || 1);
    b = next;
    if (change <= tolerance) break;
  }
  return balance(a, b);
}

/** One multiplicative update of a factor; what has become zero stays zero. */
function updated(factor: Float64Array, product: Float64Array, square: number): Float64Array {
  return factor.map((x, i) => {
    const denominator = x * square;
    return denominator > 0 ? (x * product[i]) / denominator : 0;
  });
}

/** Gives both factors the same norm; their outer product stays. */
function balance(a: Float64Array, b: Float64Array): OuterProduct {
  const product = squaredNorm(a) * squaredNorm(b);
  if (product === 0) return { a: a.fill(0), b: b.fill(0) };
  const ratio = (squaredNorm(b) / squaredNorm(a)) ** 0.25;
  return { a: a.map((x) => x * ratio), b: b.map((x) => x / ratio) };
}

/** `M·x`, or `Mᵀ·x`, with x rounded to float32. */
export async function timesVector(
  matrix: Tensor<"f32">,
  x: ArrayLike<number>,
  transposed: boolean = false,
): Promise<Float64Array> {
  const vector = Tensor.from(matrix.backend, "f32", [x.length, 1], Float32Array.from(x));
  const product = matmul(matrix, vector, { transposeA: transposed });
  const values = Float64Array.from(await product.read());
  product.release();
  vector.release();
  return values;
}

function normalise(x: Float64Array): { vector: Float64Array<ArrayBuffer>; norm: number } {
  const norm = Math.sqrt(squaredNorm(x));
  return { vector: Float64Array.from(x, (value) => (norm > 0 ? value / norm : 0)), norm };
}
