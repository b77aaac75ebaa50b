import type {
  AttentionOptions,
  FitOptions,
  GramPrecision,
  MatmulOptions,
  QuantizeColumnsOptions,
  RefineZerosOptions,
} from "../backend/kernels.ts";
import type { Backend } from "../backend/backend.ts";
import type { PackedOperand, PreparedOperand, Products } from "../backend/packed-operand.ts";
import { ShapeError } from "../util/errors.ts";
import type { DType } from "./dtype.ts";
import { asMatrix, expectShape, formatShape, type Shape } from "./shape.ts";
import { Tensor } from "./tensor.ts";

/*
 * The ops that models and methods call. Each checks shapes, allocates its output and enqueues one kernel
 * of the backend its inputs live on. This is the one place that sees every op.
 */

/** `a·b` of matrices: a `[m, k]` (or `[k, m]`), b `[k, n]` (or `[n, k]`), result `[m, n]` f32. */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor<"f32"> {
  const out = Tensor.empty(a.backend, "f32", productShape(a, b, options));
  matmulInto(out, a, b, { ...options, beta: 0 });
  return out;
}

/** `out = beta · out + alpha · a·b`, in place. @throws ShapeError when the operands do not fit */
export function matmulInto(out: Tensor, a: Tensor, b: Tensor, options: MatmulOptions = {}): void {
  expectShape("matmul output", out.shape, productShape(a, b, options));
  out.backend.kernels.matmul(out, a, b, options);
}

function productShape(a: Tensor, b: Tensor, options: MatmulOptions): Shape {
  const [m, k] = matrixShape("a", a, options.transposeA);
  const [kb, n] = matrixShape("b", b, options.transposeB);
  if (k !== kb) {
    throw new ShapeError(
      `matmul: inner dimensions differ, ${formatShape(a.shape)} and ${formatShape(b.shape)}`,
    );
  }
  return [m, n];
}

function matrixShape(name: string, t: Tensor, transposed = false): [number, number] {
  const [rows, columns] = t.shape;
  if (t.shape.length !== 2 || rows === undefined || columns === undefined) {
    throw new ShapeError(`matmul: ${name} must be a matrix, got ${formatShape(t.shape)}`);
  }
  return transposed ? [columns, rows] : [rows, columns];
}

/** `x·Wᵀ` for x `[..., in]` and W `[out, in]`; result `[..., out]` f32. */
export function linear(x: Tensor, weight: Tensor): Tensor<"f32"> {
  const { rows, columns } = asMatrix(x.shape);
  const product = matmul(x.reshape([rows, columns]), weight, { transposeB: true });
  return product.reshape([...x.shape.slice(0, -1), weight.shape[0] ?? 0]);
}

/** `x·Ŵᵀ` for x `[..., in]` and a packed `Ŵ [out, in]`; result `[..., out]` f32. See `Products`. */
export function packedLinear(
  x: Tensor,
  operand: PreparedOperand,
  products: Products,
): Tensor<"f32"> {
  const { rows, columns } = asMatrix(x.shape);
  if (columns !== operand.inFeatures) {
    throw new ShapeError(
      `packed linear: expected ${operand.inFeatures} input features, got ${columns}`,
    );
  }
  const out = Tensor.empty(x.backend, "f32", [...x.shape.slice(0, -1), operand.outFeatures]);
  x.backend.kernels.packedMatmul(
    out.reshape([rows, operand.outFeatures]),
    x.reshape([rows, columns]),
    operand,
    products,
  );
  return out;
}

/**
 * Fast products of `RMSNorm(x)` for x `[..., in]` with up to three packed weights `[out, in]` of one kind;
 * results `[..., out]` f32.
 */
export function normedPackedLinears(
  x: Tensor,
  norm: Tensor,
  eps: number,
  operands: readonly PreparedOperand[],
): Tensor<"f32">[] {
  const { columns } = asMatrix(x.shape);
  expectShape("norm", norm.shape, [columns]);
  for (const { inFeatures, kind } of operands) {
    if (inFeatures === columns && kind !== null && kind === operands[0].kind) continue;
    throw new ShapeError(
      `normed packed linears: expected ${columns} input features and one kind of weights, ` +
        `got ${inFeatures} and ${kind}`,
    );
  }
  const outs = operands.map(({ outFeatures }) =>
    Tensor.empty(x.backend, "f32", [...x.shape.slice(0, -1), outFeatures]),
  );
  x.backend.kernels.normedPackedMatmul(outs, x, norm, eps, operands);
  return outs;
}

/** Rows of `table [vocabulary, d]` at `ids` (i32, any shape); result `[...ids, d]` f32. */
export function embedding(table: Tensor, ids: Tensor<"i32">): Tensor<"f32"> {
  const out = Tensor.empty(table.backend, "f32", [...ids.shape, table.shape[1] ?? 0]);
  table.backend.kernels.embedding(out, table, ids);
  return out;
}

/** Rows of a packed table `[vocabulary, d]` at `ids` (i32, any shape), decoded; result `[...ids, d]` f32. */
export function packedEmbedding(
  backend: Backend,
  table: PackedOperand,
  ids: Tensor<"i32">,
): Tensor<"f32"> {
  const out = Tensor.empty(backend, "f32", [...ids.shape, table.inFeatures]);
  backend.kernels.packedEmbedding(out, table, ids);
  return out;
}

/** RMSNorm over the last dimension; `weight` has its length. */
export function rmsNorm(x: Tensor, weight: Tensor, eps: number): Tensor<"f32"> {
  expectShape("rmsNorm weight", weight.shape, [asMatrix(x.shape).columns]);
  const out = Tensor.empty(x.backend, "f32", x.shape);
  x.backend.kernels.rmsNorm(out, x, weight, eps);
  return out;
}

/** LayerNorm over the last dimension; null weight and bias mean 1 and 0. */
export function layerNorm(
  x: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  eps: number,
): Tensor<"f32"> {
  const { columns } = asMatrix(x.shape);
  if (weight) expectShape("layerNorm weight", weight.shape, [columns]);
  if (bias) expectShape("layerNorm bias", bias.shape, [columns]);
  const out = Tensor.empty(x.backend, "f32", x.shape);
  x.backend.kernels.layerNorm(out, x, weight, bias, eps);
  return out;
}

/** Rotary position embedding of x `[batch, length, heads, headDim]`; row t is at position `start + t`. */
export function rope(x: Tensor, cos: Tensor, sin: Tensor, start: number): Tensor<"f32"> {
  const [, length = 0, , headDim = 0] = x.shape;
  const [positions = 0] = cos.shape;
  if (start + length > positions) {
    throw new ShapeError(
      `rope: position ${start + length - 1} is beyond the ${positions} prepared`,
    );
  }
  expectShape("rope cos", cos.shape, [positions, headDim / 2]);
  expectShape("rope sin", sin.shape, [positions, headDim / 2]);
  const out = Tensor.empty(x.backend, "f32", x.shape);
  x.backend.kernels.rope(out, x, cos, sin, start);
  return out;
}

/** Causal grouped-query attention; shapes as in `Kernels.attention`. */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: AttentionOptions,
): Tensor<"f32"> {
  const [batch = 0, length = 0, heads = 0, headDim = 0] = q.shape;
  const [, capacity = 0, kvHeads = 1] = k.shape;
  expectShape("attention k", k.shape, [batch, capacity, kvHeads, headDim]);
  expectShape("attention v", v.shape, k.shape);
  if (heads % kvHeads !== 0 || options.keyLength > capacity || length > options.keyLength) {
    throw new ShapeError(
      `attention: ${heads} heads over ${kvHeads} key heads, ${length} queries, ` +
        `${options.keyLength} keys in a cache of ${capacity}`,
    );
  }
  if (k.dtype === "i8") {
    const { keyScales, valueScales } = options;
    expectShape("attention scales of k", keyScales?.shape ?? [], [batch, capacity, kvHeads]);
    expectShape("attention scales of v", valueScales?.shape ?? [], [batch, capacity, kvHeads]);
  }
  const out = Tensor.empty(q.backend, "f32", q.shape);
  q.backend.kernels.attention(out, q, k, v, options);
  return out;
}

/** Copies rows into a cache from `position` on, in place; shapes and dtypes as in `Kernels.writeRows`. */
export function writeRows(cache: Tensor, rows: Tensor, position: number): void {
  expectRows(cache, rows, position);
  cache.backend.kernels.writeRows(cache, rows, position);
}

/** Quantizes rows into a cache from `position` on, in place; see `Kernels.quantizeRows`. */
export function quantizeRows(
  cache: Tensor<"i8">,
  scales: Tensor<"f32">,
  rows: Tensor,
  position: number,
): void {
  expectRows(cache, rows, position);
  expectShape("cache scales", scales.shape, cache.shape.slice(0, -1));
  cache.backend.kernels.quantizeRows(cache, scales, rows, position);
}

function expectRows(cache: Tensor, rows: Tensor, position: number): void {
  const [batch = 0, capacity = 0, ...rest] = cache.shape;
  const [, length = 0] = rows.shape;
  expectShape("cache rows", rows.shape, [batch, length, ...rest]);
  if (position + length > capacity) {
    throw new ShapeError(`cache: rows ${position}..${position + length} do not fit ${capacity}`);
  }
}

/** `silu(gate) · up`. */
export function swiglu(gate: Tensor, up: Tensor): Tensor<"f32"> {
  expectShape("swiglu up", up.shape, gate.shape);
  const out = Tensor.empty(gate.backend, "f32", gate.shape);
  gate.backend.kernels.swiglu(out, gate, up);
  return out;
}

/** GELU, exact or with the tanh approximation. */
export function gelu(x: Tensor, approximation: "none" | "tanh" = "none"): Tensor<"f32"> {
  const out = Tensor.empty(x.backend, "f32", x.shape);
  x.backend.kernels.gelu(out, x, approximation);
  return out;
}

/** Softmax over the last dimension. */
export function softmax(x: Tensor): Tensor<"f32"> {
  const out = Tensor.empty(x.backend, "f32", x.shape);
  x.backend.kernels.softmax(out, x);
  return out;
}

/** `a + b`; `b` has the shape of `a` or only its last dimension. */
export function add(a: Tensor, b: Tensor): Tensor<"f32"> {
  if (b.shape.length === 1) expectShape("add", b.shape, a.shape.slice(-1));
  else expectShape("add", b.shape, a.shape);
  const out = Tensor.empty(a.backend, "f32", a.shape);
  a.backend.kernels.add(out, a, b);
  return out;
}

/** `a · b`, elementwise; both of one shape. */
export function multiply(a: Tensor, b: Tensor): Tensor<"f32"> {
  expectShape("multiply", b.shape, a.shape);
  const out = Tensor.empty(a.backend, "f32", a.shape);
  a.backend.kernels.multiply(out, a, b);
  return out;
}

/** `a ← a · b`, elementwise, in place; both of one shape. */
export function multiplyInto(a: Tensor<"f32">, b: Tensor): void {
  expectShape("multiply", b.shape, a.shape);
  a.backend.kernels.multiply(a, a, b);
}

/** `a ← a + b`, elementwise, in place; both of one shape. */
export function addInto(a: Tensor<"f32">, b: Tensor): void {
  expectShape("add", b.shape, a.shape);
  a.backend.kernels.add(a, a, b);
}

/** `out ← x`, rounded to the dtype of `out`, in place; both of one shape. */
export function copyInto(out: Tensor, x: Tensor): void {
  expectShape("copy", x.shape, out.shape);
  out.backend.kernels.cast(out, x);
}

/** Converts between f64, f32, f16 and bf16, rounding to nearest even. */
export function cast<D extends DType>(x: Tensor, dtype: D): Tensor<D> {
  const out = Tensor.empty(x.backend, dtype, x.shape);
  x.backend.kernels.cast(out, x);
  return out;
}

/** `−log softmax(logits)[target]` a row; logits `[T, vocabulary]`, targets `[T]` i32, result `[T]`. */
export function crossEntropy(logits: Tensor, targets: Tensor<"i32">): Tensor<"f32"> {
  expectShape("targets", targets.shape, logits.shape.slice(0, 1));
  const losses = Tensor.empty(logits.backend, "f32", targets.shape);
  logits.backend.kernels.crossEntropy(losses, logits, targets);
  return losses;
}

/** KL(teacher ‖ student) and top-token agreement a row; both logits `[T, vocabulary]`. */
export function klDivergence(
  teacher: Tensor,
  student: Tensor,
): { divergence: Tensor<"f32">; agree: Tensor<"f32"> } {
  expectShape("student logits", student.shape, teacher.shape);
  const rows = teacher.shape.slice(0, 1);
  const divergence = Tensor.empty(teacher.backend, "f32", rows);
  const agree = Tensor.empty(teacher.backend, "f32", rows);
  teacher.backend.kernels.klDivergence(divergence, agree, teacher, student);
  return { divergence, agree };
}

/** `gram [n, n] f64 += xᵀ·x` for x `[..., n]`, in place. */
export function accumulateGram(
  gram: Tensor<"f64">,
  x: Tensor,
  precision: GramPrecision = "f32",
): void {
  const { rows, columns } = asMatrix(x.shape);
  expectShape("gram", gram.shape, [columns, columns]);
  gram.backend.kernels.gram(gram, x.reshape([rows, columns]), precision);
}

/** `sums [n] f64 += Σ|x|` and `peaks [n] f32 = max(peaks, max|x|)` for x `[..., n]`, in place. */
export function accumulateMagnitudes(sums: Tensor<"f64">, peaks: Tensor<"f32">, x: Tensor): void {
  const { rows, columns } = asMatrix(x.shape);
  expectShape("sums", sums.shape, [columns]);
  expectShape("peaks", peaks.shape, [columns]);
  sums.backend.kernels.magnitudes(sums, peaks, x.reshape([rows, columns]));
}

/** `diag(h)` of h `[n, n]` f64. */
export function diagonal(h: Tensor<"f64">): Tensor<"f64"> {
  const out = Tensor.empty(h.backend, "f64", h.shape.slice(0, 1));
  h.backend.kernels.diagonal(out, h);
  return out;
}

/**
 * Upper `u [n, n] f32` with `A⁻¹ = uᵀ·u`, where A has the elements of `h [n, n]` f64 below the diagonal
 * and `diagonal [n]` f64 on it. `h` loses its upper triangle and diagonal. Read `status`: 0 is success,
 * otherwise 1 + the index of the pivot that was not positive.
 */
export function inverseCholesky(
  h: Tensor<"f64">,
  diagonal: Tensor<"f64">,
): { u: Tensor<"f32">; status: Tensor<"i32"> } {
  expectShape("diagonal", diagonal.shape, h.shape.slice(0, 1));
  const u = Tensor.empty(h.backend, "f32", h.shape);
  const status = Tensor.empty(h.backend, "i32", [1]);
  h.backend.kernels.inverseCholesky(u, h, diagonal, status);
  return { u, status };
}

/** Finds scale and zero point of one group of columns, in place; see `Kernels.fitColumns`. */
export function fitColumns(
  scales: Tensor<"f32">,
  zeros: Tensor<"f32">,
  weight: Tensor<"f32">,
  options: FitOptions,
): void {
  expectShape("zeros", zeros.shape, scales.shape);
  expectColumns(weight, options.start, options.end);
  weight.backend.kernels.fitColumns(scales, zeros, weight, options);
}

/** One half-quadratic step on all zero points, in place; see `Kernels.refineZeros`. */
export function refineZeros(
  zeros: Tensor<"f32">,
  errors: Tensor<"f32">,
  weight: Tensor<"f32">,
  options: RefineZerosOptions,
): void {
  const [rows = 0, columns = 0] = weight.shape;
  const shape = [rows, Math.ceil(columns / options.groupSize)];
  expectShape("zeros", zeros.shape, shape);
  expectShape("errors", errors.shape, shape);
  expectShape("scales", options.scales.shape, shape);
  weight.backend.kernels.refineZeros(zeros, errors, weight, options);
}

/** Quantizes a panel of columns, in place; see `Kernels.quantizeColumns`. */
export function quantizeColumns(
  codes: Tensor<"u8">,
  weight: Tensor<"f32">,
  options: QuantizeColumnsOptions,
): void {
  expectShape("codes", codes.shape, weight.shape);
  expectColumns(weight, options.start, options.end);
  weight.backend.kernels.quantizeColumns(codes, weight, options);
}

function expectColumns({ shape }: Tensor, start: number, end: number): void {
  if (start < 0 || start >= end || end > (shape[1] ?? 0)) {
    throw new ShapeError(`columns ${start}..${end} are outside ${formatShape(shape)}`);
  }
}
