import type { BinaryKernels } from "./binary-kernels.ts";
import type { IntegerKernels } from "./integer-kernels.ts";
import type { IntegerOutput, IntegerWeight } from "./integer-weight.ts";
import type { PackedOperand, PreparedOperand, Products } from "./packed-operand.ts";
import type { TensorView } from "./tensor-view.ts";
import type { TrainingKernels } from "./training-kernels.ts";

export type { Storage, TensorView } from "./tensor-view.ts";

/** Which operand of a product is read transposed. */
export interface MatmulOptions {
  /** Read `a` as `[k, m]`. */
  readonly transposeA?: boolean;
  /** Read `b` as `[n, k]`. */
  readonly transposeB?: boolean;
  /** `out = beta · out + alpha · a·b`; alpha defaults to 1. */
  readonly alpha?: number;
  /** 0 (default) overwrites `out`, 1 adds to it. No other value is allowed. */
  readonly beta?: 0 | 1;
  /** The numbers of a row of `out` must not depend on how many rows there are; default false. */
  readonly rowwise?: boolean;
}

/** `f32`: float32 products; `bf16`: x may be rounded to bfloat16 where that is faster. */
export type GramPrecision = "f32" | "bf16";

/** How queries see keys. */
export interface AttentionOptions {
  /** Factor on the scores, usually `1/√headDim`. */
  readonly scale: number;
  /** Valid keys (the cache may be longer). The last query stands at `keyLength − 1`. */
  readonly keyLength: number;
  /** A query at position p sees keys in `(p − window, p]`; absent means all keys up to p. */
  readonly window?: number;
  /** A score s counts as `softCap · tanh(s / softCap)`; absent means as it is. */
  readonly softCap?: number;
  /** Scales of int8 or 4-bit keys, `[batch, capacity, kvHeads]` f32: key = scale · code. */
  readonly keyScales?: TensorView;
  /** Scales of such values, of the same shape. */
  readonly valueScales?: TensorView;
}

/** Rows of several texts, and where their keys and values lie in a pool of blocks. */
export interface PagedAttentionOptions extends Omit<AttentionOptions, "keyLength"> {
  /**
   * For each text how many rows it has, one text after the other, and the position of the first of
   * them, `[texts, 2]` i32. A row sees the keys of its text up to its own position.
   */
  readonly spans: TensorView;
  /** Blocks of each text in order, `[texts, width]` i32; entries that no row sees may be anything. */
  readonly tables: TensorView;
  /** Slots a block, at most 256: key j of a text lies in slot `table[⌊j / size⌋] · size + j % size`. */
  readonly blockSize: number;
}

/**
 * Grid of column-wise quantization: value = scale · (origin + step · (code − zero)), or
 * scale · values[code].
 */
export interface GridView {
  readonly levels: number;
  readonly origin: number;
  readonly step: number;
  /** Values of the codes, rising, in units of the scale, where they are not evenly spaced. */
  readonly values?: Float32Array;
}

/** How the scale of a group of weights w is found. `Q = grid.levels − 1`. */
export interface FitOptions {
  readonly start: number;
  readonly end: number;
  /** Index of the group whose scale is written. */
  readonly group: number;
  readonly grid: GridView;
  /**
   * - `range`: lo = min(w, 0), hi = max(w, 0) (−1 and 1 when both are 0), s = (hi − lo)/Q,
   *   z = clip(rne(−lo/s), 0, Q);
   * - `magnitude`: s = 2·max|w|/(Q·step) (max|w| = 1 when all are 0), z = 0;
   * - `mean`: s = mean|w|, z = 0;
   * - `span`: lo = min(w), hi = max(w), s = (hi − lo)/Q, z = −lo/s rounded to float16; `range`
   *   where hi = lo or |z| > 1024, where float16 is too coarse.
   *
   * s is rounded to float16 (at least 2⁻²⁴, at most 65504) before z is computed.
   */
  readonly rule: "range" | "magnitude" | "mean" | "span";
  /**
   * With a search, the rule is also tried on ranges shrunk by `p = 1 − i·shrinkStep`, 0 ≤ i <
   * candidates (lo, hi or max|w| times p; for `mean` s = 2.4·p·mean|w|, besides the rule itself),
   * and the one with the least `Σ|ŵ − w|^norm` is kept, the earliest on ties.
   */
  readonly search: {
    readonly candidates: number;
    readonly shrinkStep: number;
    readonly norm: number;
  } | null;
}

/** A matrix `[out, in]` that holds few weights, row after row (CSR). */
export interface SparseView {
  /** `[out + 1]` i32: where the weights of each row begin, and where the last ones end. */
  readonly starts: TensorView;
  /** `[weights]` i32: the column of each, rising within a row. */
  readonly columns: TensorView;
  /** `[weights]` f32. */
  readonly values: TensorView;
}

/** What `refineZeros` is told. `Q = levels − 1`. */
export interface RefineZerosOptions {
  /** `[rows, groups]` f32, none of them 0. */
  readonly scales: TensorView;
  /** Columns a group; the last group of a row may be shorter. */
  readonly groupSize: number;
  readonly levels: number;
  /** Exponent p of the norm, in (0, 1]. */
  readonly norm: number;
  /** Weight β of the quadratic term. */
  readonly beta: number;
}

/** What a search of blocks is told of their format: columns of a block and of a group. */
export interface BlockFormatView {
  /** Name of the type of ggml in lower case, such as `q4_k`. */
  readonly id: string;
  readonly columns: number;
  readonly groupColumns: number;
}

/** What `searchBlocks` chooses, of a weight `[rows, n]`. */
export interface BlockViews {
  /** `[rows, n]` u8. */
  readonly codes: TensorView;
  /** Of blocks, `[rows, n / columns]` f16. */
  readonly scales: TensorView;
  readonly offsets: TensorView;
  /** Factors of these, of groups: `[rows, n / groupColumns]`, i8 and u8. */
  readonly subScales: TensorView;
  readonly subOffsets: TensorView;
}

/** What `refitGroups` needs to know of the format of blocks. */
export interface BlockLevelsView extends Pick<BlockFormatView, "columns" | "groupColumns"> {
  readonly levels: number;
  /** Value of code 0 and distance of neighbouring codes, in units of the group's scale. */
  readonly origin: number;
  readonly step: number;
  /** Whether the offset of a group is added, subtracted, or there is none. */
  readonly offset: "none" | "added" | "subtracted";
  /** Least and largest sub-scale; null where a block is one group. */
  readonly subScaleRange: readonly [low: number, high: number] | null;
  readonly largestSubOffset: number | null;
}

/** What `refitGroups` is told. */
export interface RefitGroupsOptions {
  readonly format: BlockLevelsView;
  /** Columns of the groups, whole ones. */
  readonly start: number;
  readonly end: number;
  /** Importance of each column, `[n]` f32; null: all are alike. */
  readonly importance: TensorView | null;
  /** How far from the sub-scales and sub-offsets that are there others are tried; 0: not at all. */
  readonly reach: number;
}

/** What `searchBlocks` is told. */
export interface SearchBlocksOptions {
  readonly format: BlockFormatView;
  /** Columns of the blocks that are searched for. */
  readonly start: number;
  readonly end: number;
  /** Importance of each column, `[n]` f32; null: all are alike. */
  readonly importance: TensorView | null;
}

/** What `quantizeColumns` is told. */
export interface QuantizeColumnsOptions {
  readonly start: number;
  readonly end: number;
  readonly factor: TensorView | null;
  readonly scales: TensorView;
  readonly zeros: TensorView;
  /** Added to every value of a group, `[rows, groups]` f32; null stands for zeros. */
  readonly offsets: TensorView | null;
  readonly groupOf: TensorView;
  readonly grid: GridView;
}

/**
 * The ops of fewbit, as every backend offers them. Each call enqueues work and returns at once;
 * results are there when `Backend.read` or `Backend.synchronize` resolves. All outputs come first
 * and are allocated by the caller. Arithmetic is float32 with float32 accumulation unless stated;
 * shapes are checked by the caller (`tensor/ops`). `T` stands for the product of leading dimensions
 * ("tokens").
 */
export interface Kernels extends TrainingKernels, BinaryKernels, IntegerKernels {
  /**
   * `out [m, n] f32 = a·b`, with `a [m, k]` f32 or bf16 and `b [k, n]` f32, f16 or bf16 (16-bit ×
   * 16-bit multiplies in bf16 with f32 accumulation where both are bf16; a 16-bit `b` with f32 `a`
   * counts as widened: products are exact and sums are float32).
   */
  matmul(out: TensorView, a: TensorView, b: TensorView, options: MatmulOptions): void;
  /**
   * `out [T, outFeatures] = x [T, inFeatures] · Ŵᵀ`; `exact` products widen the weight exactly to
   * f32, `fast` ones round x to 8 bits first (see `Products`). With `rowwise` the numbers of a row do
   * not depend on how many rows there are.
   */
  packedMatmul(
    out: TensorView,
    x: TensorView,
    operand: PreparedOperand,
    products: Products,
    rowwise?: boolean,
  ): void;
  /**
   * `outs[i] [T, outFeatures] = RMSNorm(x) [T, inFeatures] · Ŵ[i]ᵀ` as `fast` products, for up to
   * three operands of one `kind`; the same numbers as `rmsNorm` and `packedMatmul` give.
   */
  normedPackedMatmul(
    outs: readonly TensorView[],
    x: TensorView,
    norm: TensorView,
    eps: number,
    operands: readonly PreparedOperand[],
    rowwise?: boolean,
  ): void;
  /**
   * Rounds rows of x `[T, n]` f32 to codes `[T, n]` u8 and writes their scales `[T]` f32. With
   * `fixed` all rows take `clip(rne(x/scale) + zeroPoint, 0, 255)`; without, each row takes
   * `s = max|x|/127` (1 for a row of zeros) and `clip(rne(x/s) + 128, 1, 255)`.
   */
  quantizeActivations(
    codes: TensorView,
    scales: TensorView,
    x: TensorView,
    fixed: { readonly scale: number; readonly zeroPoint: number } | null,
  ): void;
  /** `out [T, n] f32 = scales[t] · (codes − zeroPoint)`, codes `[T, n]` u8, scales `[T]` f32. */
  dequantizeActivations(
    out: TensorView,
    codes: TensorView,
    scales: TensorView,
    zeroPoint: number,
  ): void;
  /** `out [T, 2] f32`: least and largest value of each row of x `[T, n]` f32. */
  rowRanges(out: TensorView, x: TensorView): void;
  /**
   * `sum[t, r] = Σ codes[t, k]·values[r, k] + offsets[r]` in int32 (saturating at the last
   * addition), written to `out [T, outFeatures]`, u8, f32 or i32, as `output` says. codes `[T,
   * inFeatures]` u8, offsets `[outFeatures]`. Every backend gives the same bytes.
   */
  integerMatmul(
    out: TensorView,
    codes: TensorView,
    weight: IntegerWeight,
    offsets: Int32Array,
    output: IntegerOutput,
  ): void;
  /** `out [T, d] f32 = table[ids]`, table `[vocabulary, d]` f32, f16 or bf16, ids `[T]` i32. */
  embedding(out: TensorView, table: TensorView, ids: TensorView): void;
  /**
   * `out [T, d] f32` = the rows `ids [T]` i32 of a packed table
   * `[outFeatures: vocabulary, inFeatures: d]`, decoded exactly; the table is taken as files hold
   * it, not as `prepare` lays it out.
   */
  packedEmbedding(out: TensorView, table: PackedOperand, ids: TensorView): void;
  /** `out = x / √(mean(x²) + eps) · weight` over the last dimension. */
  rmsNorm(out: TensorView, x: TensorView, weight: TensorView, eps: number): void;
  /** `out = (x − mean) / √(var + eps) · weight + bias` over the last dimension; null: 1 and 0. */
  layerNorm(
    out: TensorView,
    x: TensorView,
    weight: TensorView | null,
    bias: TensorView | null,
    eps: number,
  ): void;
  /**
   * Rotates the halves of each head (Hugging Face order): x `[batch, length, heads, headDim]`, cos
   * and sin `[positions, headDim/2]`; row t of each batch entry is at position `start + t`. `out`
   * may be `x`.
   */
  rope(out: TensorView, x: TensorView, cos: TensorView, sin: TensorView, start: number): void;
  /**
   * Causal grouped-query attention: q, out `[batch, length, heads, headDim]`, k and v
   * `[batch, capacity, kvHeads, headDim]` f32, f16 or i8, or u8 with two values in each
   * (`tensor/four-bit-rows.ts`), of which `keyLength` rows are valid; i8 and u8 have scales.
   */
  attention(
    out: TensorView,
    q: TensorView,
    k: TensorView,
    v: TensorView,
    options: AttentionOptions,
  ): void;
  /**
   * Causal grouped-query attention of rows of several texts: q, out `[rows, heads, headDim]`, k and v
   * `[slots, kvHeads, headDim]` of the dtypes of `attention`, scales `[slots, kvHeads]`. The numbers
   * of a row do not depend on other rows, nor on how its text is cut into calls.
   */
  pagedAttention(
    out: TensorView,
    q: TensorView,
    k: TensorView,
    v: TensorView,
    options: PagedAttentionOptions,
  ): void;
  /**
   * Copies `rows [batch, length, ...]` into `cache [batch, capacity, ...]` from row `position` on;
   * f32 rows are rounded to nearest even for an f16 cache, otherwise both have one dtype. Where
   * `position` is `[length]` i32, row i of the one batch entry goes to row `position[i]`.
   */
  writeRows(cache: TensorView, rows: TensorView, position: number | TensorView): void;
  /**
   * Writes `rows [batch, length, heads, d] f32` into `cache [batch, capacity, heads, d] i8` (T = 127),
   * or `[…, ⌈d/2⌉] u8` (T = 7, two codes in each, `tensor/four-bit-rows.ts`), and its
   * `scales [batch, capacity, heads] f32` from row `position` on, or as `writeRows` does: `scale = max|x| / T` and
   * `code = clip(rne(x / scale), ±T)` over each d, 0 where the scale is 0. With a NaN or an
   * infinity in d the scale is not finite and the codes are 0, so that what is read is NaN.
   */
  quantizeRows(
    cache: TensorView,
    scales: TensorView,
    rows: TensorView,
    position: number | TensorView,
  ): void;
  /** `out = silu(gate) · up`, elementwise. `out` may be `gate`. */
  swiglu(out: TensorView, gate: TensorView, up: TensorView): void;
  /** GELU, exact (erf) or with the tanh approximation. `out` may be `x`. */
  gelu(out: TensorView, x: TensorView, approximation: "none" | "tanh"): void;
  /** `out = max(x, 0)`, elementwise. `out` may be `x`. */
  relu(out: TensorView, x: TensorView): void;
  /** `out = cap · tanh(x / cap)`, elementwise. `out` may be `x`. */
  softCap(out: TensorView, x: TensorView, cap: number): void;
  /**
   * `out[t, j] = x[t, columns[j]]`, out `[T, n]`: some columns of x `[T, m]` f32, in another order;
   * columns `[n]` i32, none of them twice.
   */
  takeColumns(out: TensorView, x: TensorView, columns: TensorView): void;
  /** Softmax over the last dimension. `out` may be `x`. */
  softmax(out: TensorView, x: TensorView): void;
  /** `out = a + b`; `b` has the shape of `a` or of its last dimension. `out` may be `a`. */
  add(out: TensorView, a: TensorView, b: TensorView): void;
  /**
   * `out [T, out] f32 += x·Sᵀ`, x `[T, in]` f32, S a matrix `[out, in]` of a few weights: sums in the
   * order of the columns.
   */
  addSparseProducts(out: TensorView, x: TensorView, sparse: SparseView): void;
  /** `out = a · b`, elementwise; `b` is of the shape of `a` or its last dimension; may be `a`. */
  multiply(out: TensorView, a: TensorView, b: TensorView): void;
  /** Converts between f64, f32, f16 and bf16, rounding to nearest even. */
  cast(out: TensorView, x: TensorView): void;
  /** `losses [T] f32 = −log softmax(logits [T, vocabulary])[target]`, i32; 0 if negative. */
  crossEntropy(losses: TensorView, logits: TensorView, targets: TensorView): void;
  /**
   * Row statistics of student logits against teacher logits, both `[T, vocabulary]`:
   * `divergence [T] f32 = KL(teacher ‖ student)`, `agree [T] f32 = 1` where the top tokens are the
   * same.
   */
  klDivergence(
    divergence: TensorView,
    agree: TensorView,
    teacher: TensorView,
    student: TensorView,
  ): void;
  /** `out[t] = factors[t]·x[t]` for rows of x `[T, n]` f32, factors `[T]` f32. `out` may be `x`. */
  scaleRows(out: TensorView, x: TensorView, factors: TensorView): void;
  /** Adds to a Gram matrix: `gram [n, n] f64 += xᵀ·x`, x `[T, n]` f32, both triangles. */
  gram(gram: TensorView, x: TensorView, precision: GramPrecision): void;
  /** Adds to the magnitudes of channels, x `[T, n]` f32: `sums [n] f64 += Σ|x|` and
   *  `peaks [n] f32 = max(peaks, max|x|)` over the rows. */
  magnitudes(sums: TensorView, peaks: TensorView, x: TensorView): void;
  /** Adds to the energies of channels, x `[T, n]` f32: `sums [n] f64 += Σ x²` over the rows. */
  energies(sums: TensorView, x: TensorView): void;
  /** `out [n] f64 = diag(h)`, h `[n, n]` f64. */
  diagonal(out: TensorView, h: TensorView): void;
  /**
   * Upper factor of the inverse of the symmetric positive definite matrix A whose off-diagonal
   * elements are those below the diagonal of `h [n, n] f64` and whose diagonal is
   * `diagonal [n] f64`: writes the upper triangular `u [n, n] f32` (zeros below) with `A⁻¹ = uᵀ·u`,
   * and `status [1] i32`: 0, or 1 + the index of the first pivot that was not positive. The
   * diagonal and upper triangle of `h` are workspace and are overwritten; what is strictly below
   * the diagonal stays, so that the call can be repeated with another diagonal. With `order [n] i32`
   * rows and columns of `h` are taken in that order; those of `diagonal` stand in it already.
   */
  inverseCholesky(
    u: TensorView,
    h: TensorView,
    diagonal: TensorView,
    status: TensorView,
    order: TensorView | null,
  ): void;
  /**
   * Finds scale and zero point of one group: for each row r the columns `[start, end)` of
   * `weight [rows, n] f32` give `scales[r, group]` (rounded to float16, never 0) and
   * `zeros[r, group]` (both `[rows, groups]` f32) by the rule of `FitOptions`.
   */
  fitColumns(scales: TensorView, zeros: TensorView, weight: TensorView, options: FitOptions): void;
  /**
   * Exact weighted k-means of each row of `values [rows, n] f32`: writes the centroids of the
   * clusters with the least `Σ w·(x − centroid)²`, `weights [rows, n] f32` from 0 up, rounded to
   * float16 in rising order, to `table [rows, levels] f16`, and the code of the nearest of them, the
   * lower one on ties, to `codes [rows, n] u8`. In a row without weights all values count alike; of
   * fewer values than levels the largest centroid stands several times.
   */
  clusterRows(table: TensorView, codes: TensorView, values: TensorView, weights: TensorView): void;
  /**
   * One step of half-quadratic quantization (HQQ) on every group of `weight [rows, n] f32`: with
   * `c = clip(rne(w/s + z), 0, Q)` and `d = w − s·(c − z)` writes `errors = mean|d|` (of the zero
   * points as they come in) and the new zero point `z = mean(c − (w − e)/s)`,
   * `e = sign(d)·max(|d| − |d|^(p−1)/β, 0)`. `zeros` and `errors` are `[rows, groups]` f32.
   */
  refineZeros(
    zeros: TensorView,
    errors: TensorView,
    weight: TensorView,
    options: RefineZerosOptions,
  ): void;
  /**
   * Chooses codes, scales and offsets of the blocks in the columns `[start, end)` of `weight
   * [rows, n] f32`, as ggml chooses blocks of the type (`ggml-quants.c`, `quantize_*`), with and
   * without importance; every operation is rounded to float32, so that results are its bits. Of
   * formats whose blocks are one group, sub-scales and sub-offsets stay as they are.
   */
  searchBlocks(chosen: BlockViews, weight: TensorView, options: SearchBlocksOptions): void;
  /**
   * For each group in the columns `[start, end)` of `weight [rows, n] f32`, whose block has its
   * scale and offset already: chooses the sub-scale and the sub-offset within `reach` of those in
   * `chosen` with the least `Σ importance · (ŵ − w)²` by nearest codes (those that are there on
   * ties, then the smallest), and writes the group's scale and signed offset, `scales` and
   * `offsets [rows, groups]` f32 (null for formats without offsets). Every operation is rounded to
   * float32. Of formats whose blocks are one group, it only writes the latter. `chosen.codes` is
   * not looked at.
   */
  refitGroups(
    scales: TensorView,
    offsets: TensorView | null,
    chosen: BlockViews,
    weight: TensorView,
    options: RefitGroupsOptions,
  ): void;
  /**
   * Quantizes the columns `[start, end)` of `weight [rows, n] f32` one after the other. Column j of
   * row r gets `code = clip(rne(((w − o)/s − origin)/step + z), 0, levels − 1)` with
   * `s = scales[r, g]`, `z = zeros[r, g]`, `o = offsets[r, g]`, `g = groupOf[j]` (two-level grids:
   * code 1 where `((w − o)/s − origin)/step ≥ ½`; grids with values: the number of midpoints of
   * neighbouring values, in float32, below `(w − o)/s`), and the column is set to its decoded value
   * `s·(origin + step·(code − z)) + o`. With `factor` (upper, `[n, n] f32`) the error
   * `e = (w − ŵ)/factor[j, j]` is carried on to the later columns: `w[k] −= e · factor[j, k]` for j
   * < k < end here and, after the panel, for all k ≥ end. `codes [rows, n] u8`, `groupOf [n] i32`,
   * scales, zeros and offsets `[rows, groups] f32`. Source: GPTQ, algorithm 1.
   */
  quantizeColumns(codes: TensorView, weight: TensorView, options: QuantizeColumnsOptions): void;
}

/** Name of an op. */
export type KernelName = keyof Kernels;
