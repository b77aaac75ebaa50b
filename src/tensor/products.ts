import type { MatmulOptions, SparseView } from "../backend/kernels.ts";
import type { PreparedOperand, Products } from "../backend/packed-operand.ts";
import { ShapeError } from "../util/errors.ts";
import { isRowwise } from "./rowwise.ts";
import { asMatrix, expectShape, formatShape, type Shape } from "./shape.ts";
import {
  type Backward,
  expectUntracked,
  openPrecision,
  operandOf,
  record,
  roundedOnce,
} from "./tape.ts";
import { Tensor } from "./tensor.ts";

/*
 * Products of matrices, dense and packed.
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

/** Adds a product to a sum of its size, in place; without one, the product. */
function addMatmul(
  sum: Tensor<"f32"> | null,
  a: Tensor,
  b: Tensor,
  options: MatmulOptions = {},
): Tensor<"f32"> {
  if (!sum) return matmul(a, b, options);
  matmulInto(sum.reshape(productShape(a, b, options)), a, b, { ...options, beta: 1 });
  return sum;
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

/**
 * `x·Wᵀ` for x `[..., in]` and W `[out, in]`; result `[..., out]` f32. Within a recording in
 * bfloat16 both operands are rounded to that first, in the backward pass too.
 */
export function linear(x: Tensor, weight: Tensor): Tensor<"f32"> {
  const { rows, columns } = asMatrix(x.shape);
  const operand = openPrecision() === "bf16" ? roundedOperand : (t: Tensor): Tensor => t;
  const a = operand(x).reshape([rows, columns]);
  const b = operand(weight);
  const out = matmul(a, b, { transposeB: true, rowwise: isRowwise() });
  const [left, right] = [operandOf(a), operandOf(b)];
  const { dtype } = a;
  const backward: Backward = (dOut, [wantsX, wantsWeight], [ofX, ofWeight]) => {
    const dProduct = dtype === "bf16" ? toBfloat16(dOut) : dOut;
    const gradients = [
      wantsX ? right.use((again) => addMatmul(ofX, dProduct, again)) : null,
      wantsWeight
        ? left.use((again) => addMatmul(ofWeight, dProduct, again, { transposeA: true }))
        : null,
    ];
    if (dProduct !== dOut) dProduct.release();
    return gradients;
  };
  record(out, [x, weight], backward, [...left.saved, ...right.saved]);
  return out.reshape([...x.shape.slice(0, -1), weight.shape[0] ?? 0]);
}

function roundedOperand(x: Tensor): Tensor<"bf16"> {
  return roundedOnce(x, toBfloat16);
}

function toBfloat16(x: Tensor): Tensor<"bf16"> {
  const out = Tensor.empty(x.backend, "bf16", x.shape);
  x.backend.kernels.cast(out, x);
  return out;
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
  expectUntracked("packed products", x);
  const out = Tensor.empty(x.backend, "f32", [...x.shape.slice(0, -1), operand.outFeatures]);
  x.backend.kernels.packedMatmul(
    out.reshape([rows, operand.outFeatures]),
    x.reshape([rows, columns]),
    operand,
    products,
    isRowwise(),
  );
  return out;
}

/**
 * Adds `x·Sᵀ` to products `[..., out]`, in place, for x `[..., in]` and a sparse S `[out, in]`; see
 * `Kernels.addSparseProducts`.
 */
export function addSparseProducts(out: Tensor<"f32">, x: Tensor, sparse: SparseView): void {
  const { rows, columns } = asMatrix(x.shape);
  const outFeatures = (sparse.starts.shape[0] ?? 1) - 1;
  expectShape("products", out.shape, [...x.shape.slice(0, -1), outFeatures]);
  expectUntracked("sparse products", x);
  const flat = x.reshape([rows, columns]);
  x.backend.kernels.addSparseProducts(out.reshape([rows, outFeatures]), flat, sparse);
}

/** Fast products of `RMSNorm(x [..., in])` with up to three packed `[out, in]` of one kind. */
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
  expectUntracked("packed products", x);
  const outs = operands.map(({ outFeatures }) =>
    Tensor.empty(x.backend, "f32", [...x.shape.slice(0, -1), outFeatures]),
  );
  x.backend.kernels.normedPackedMatmul(outs, x, norm, eps, operands, isRowwise());
  return outs;
}
