import type {
  BlockFormatView,
  BlockViews,
  FitOptions,
  GramPrecision,
  QuantizeColumnsOptions,
  RefineZerosOptions,
  RefitGroupsOptions,
  SearchBlocksOptions,
} from "../backend/kernels.ts";
import { ShapeError } from "../util/errors.ts";
import { asMatrix, expectShape, formatShape } from "./shape.ts";
import { Tensor } from "./tensor.ts";

/*
 * The ops of calibration and of quantizers that round weights.
 */

/** Returns `factors[t]·x[t]` for rows t of x `[..., n]`, factors `[rows]`; of the shape of x. */
export function scaleRows(x: Tensor, factors: Tensor<"f32">): Tensor<"f32"> {
  const { rows, columns } = asMatrix(x.shape);
  expectShape("factors", factors.shape, [rows]);
  const out = Tensor.empty(x.backend, "f32", x.shape);
  const flat = (tensor: Tensor): Tensor => tensor.reshape([rows, columns]);
  x.backend.kernels.scaleRows(flat(out), flat(x), factors);
  return out;
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

/** `sums [n] f64 += Σ x²` for x `[..., n]`, in place. */
export function accumulateEnergies(sums: Tensor<"f64">, x: Tensor): void {
  const { rows, columns } = asMatrix(x.shape);
  expectShape("sums", sums.shape, [columns]);
  sums.backend.kernels.energies(sums, x.reshape([rows, columns]));
}

/** `diag(h)` of h `[n, n]` f64. */
export function diagonal(h: Tensor<"f64">): Tensor<"f64"> {
  const out = Tensor.empty(h.backend, "f64", h.shape.slice(0, 1));
  h.backend.kernels.diagonal(out, h);
  return out;
}

/**
 * Upper `u [n, n] f32` with `A⁻¹ = uᵀ·u`, where A has the elements of `h [n, n]` f64 below the
 * diagonal and `diagonal [n]` f64 on it. `h` loses its upper triangle and diagonal. With `order [n]`
 * rows and columns of `h` are taken in that order, in which `diagonal` stands. Read `status`:
 * 0 is success, otherwise 1 + the index of the pivot that was not positive.
 */
export function inverseCholesky(
  h: Tensor<"f64">,
  diagonal: Tensor<"f64">,
  order: Tensor<"i32"> | null = null,
): { u: Tensor<"f32">; status: Tensor<"i32"> } {
  expectShape("diagonal", diagonal.shape, h.shape.slice(0, 1));
  if (order) expectShape("order", order.shape, diagonal.shape);
  const u = Tensor.empty(h.backend, "f32", h.shape);
  const status = Tensor.empty(h.backend, "i32", [1]);
  h.backend.kernels.inverseCholesky(u, h, diagonal, status, order);
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

/**
 * Clusters each row of `values [rows, n]`, weighted by `weights [rows, n]`, into `table [rows, levels]`
 * and `codes [rows, n]`; see `Kernels.clusterRows`.
 */
export function clusterRows(
  table: Tensor<"f16">,
  codes: Tensor<"u8">,
  values: Tensor<"f32">,
  weights: Tensor<"f32">,
): void {
  const [rows = 0] = values.shape;
  expectShape("table", table.shape, [rows, table.shape[1] ?? 0]);
  expectShape("codes", codes.shape, values.shape);
  expectShape("weights", weights.shape, values.shape);
  values.backend.kernels.clusterRows(table, codes, values, weights);
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

/** Chooses the blocks of a range of columns, in place; see `Kernels.searchBlocks`. */
export function searchBlocks(
  chosen: BlockViews,
  weight: Tensor<"f32">,
  options: SearchBlocksOptions,
): void {
  const { start, end, format, importance } = options;
  const [, columns = 0] = weight.shape;
  expectColumns(weight, start, end);
  for (const edge of [start, end, columns]) {
    if (edge % format.columns === 0) continue;
    const message = `expected whole blocks of ${format.columns} columns, got ${edge} columns`;
    throw new ShapeError(message);
  }
  expectShape("codes", chosen.codes.shape, weight.shape);
  expectBlockScales(chosen, weight, format);
  if (importance) expectShape("importance", importance.shape, [columns]);
  weight.backend.kernels.searchBlocks(chosen, weight, options);
}

/** Chooses what stands beside the scales of blocks, in place; see `Kernels.refitGroups`. */
export function refitGroups(
  scales: Tensor<"f32">,
  offsets: Tensor<"f32"> | null,
  chosen: BlockViews,
  weight: Tensor<"f32">,
  options: RefitGroupsOptions,
): void {
  const { start, end, format, importance } = options;
  expectColumns(weight, start, end);
  expectShape("scales", scales.shape, chosen.subScales.shape);
  if (offsets) expectShape("offsets", offsets.shape, scales.shape);
  expectBlockScales(chosen, weight, format);
  if (importance) expectShape("importance", importance.shape, weight.shape.slice(1));
  weight.backend.kernels.refitGroups(scales, offsets, chosen, weight, options);
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

function expectBlockScales(
  chosen: BlockViews,
  { shape: [rows = 0, columns = 0] }: Tensor,
  { columns: ofBlock, groupColumns }: Pick<BlockFormatView, "columns" | "groupColumns">,
): void {
  expectShape("scales", chosen.scales.shape, [rows, columns / ofBlock]);
  expectShape("offsets", chosen.offsets.shape, chosen.scales.shape);
  expectShape("sub-scales", chosen.subScales.shape, [rows, columns / groupColumns]);
  expectShape("sub-offsets", chosen.subOffsets.shape, chosen.subScales.shape);
}

function expectColumns({ shape }: Tensor, start: number, end: number): void {
  if (start < 0 || start >= end || end > (shape[1] ?? 0)) {
    throw new ShapeError(`columns ${start}..${end} are outside ${formatShape(shape)}`);
  }
}
