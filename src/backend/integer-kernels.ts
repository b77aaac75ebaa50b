import type { IntegerWeight } from "./integer-weight.ts";
import type { TensorView } from "./tensor-view.ts";

/** Positive factors in fixed point, one an element: `multiplier · 2^(−31 − shift)`. */
export interface FactorArrays {
  readonly multipliers: Int32Array;
  readonly shifts: Int32Array;
}

/** One of them. */
export interface Factor {
  readonly multiplier: number;
  readonly shift: number;
}

/** How int32 values become 8-bit codes: `clip(zeroPoint + factor·x, 0, 255)`. */
export interface FixedRounding extends Factor {
  readonly zeroPoint: number;
}

/** What `integerNorm` is told. */
export interface IntegerNormOptions {
  /** Weights of the norm over their largest magnitude, Q22: at most 2^22. `[n]` */
  readonly weights: Int32Array;
  /** `n·eps` in units of the square of the input's unit: an integer below 2^53. */
  readonly epsilon: number;
}

/** 8-bit rows with a magnitude each: `x = code/127 · factor`, a factor being `[2]` i32. */
export interface RoundedRows {
  readonly codes: TensorView;
  readonly factors: TensorView;
}

/** What `integerAttention` is told. */
export interface IntegerAttentionOptions {
  /** Turns product sums times the factors of query and key into scores in nats, Q14. */
  readonly score: Factor;
  /** Valid keys (the cache may be longer). The last query stands at `keyLength − 1`. */
  readonly keyLength: number;
  /** A query at position p sees keys in `(p − window, p]`; absent means all keys up to p. */
  readonly window?: number;
}

/** What `integerGate` is told. */
export interface IntegerGateOptions {
  readonly activation: "silu" | "gelu";
  /** Turns gates into the Q14 inputs of the function: x for SiLU, x/√2 for GELU. */
  readonly input: Factor;
  /**
   * Rounds by a fixed scale: products are first shifted right by `bits`, halves up; null: each row by
   * its own magnitude, in codes around 128.
   */
  readonly fixed: (FixedRounding & { readonly bits: number }) | null;
}

/**
 * The ops of forward passes without floats: integers in, integers out. Every backend gives the same
 * bytes. Values between layers are int32 with a fixed scale that the model knows ("units"); products
 * take 8-bit codes. Rows are rounded with halves away from zero, shifts with halves up; sums that do
 * not fit an int32 saturate.
 */
export interface IntegerKernels {
  /** `out [T, n] i32 = factor[id] · table[id, :]`, ids `[T]` i32. */
  integerLookUp(
    out: TensorView,
    table: IntegerWeight,
    ids: TensorView,
    factors: FactorArrays,
  ): void;
  /**
   * `out = weights · x/√(Σx² + epsilon)` of rows x `[T, n]` i32, n at most 32768: out 2^30 stands for
   * 1 where the weight is the largest. Squares are summed of x rounded to 17 bits (by the row's
   * largest), the root is I-BERT's integer square root, its reciprocal an integer division.
   */
  integerNorm(out: TensorView, x: TensorView, options: IntegerNormOptions): void;
  /**
   * Rounds rows x `[R, n]` i32 to 8 bits: by a fixed scale to u8, or (null) by each row's magnitude m
   * to `code = 127·x/m`, i8, or u8 with 128 added; then `factors [R, 2]` i32 are m as multiplier and
   * shift.
   */
  integerRound(
    codes: TensorView,
    factors: TensorView | null,
    x: TensorView,
    fixed: FixedRounding | null,
  ): void;
  /** `out [T, n] i32 = factor · (codes − zeroPoint)`, codes u8. */
  integerWiden(out: TensorView, codes: TensorView, rule: FixedRounding): void;
  /** `out = a + b`, i32. */
  integerAdd(out: TensorView, a: TensorView, b: TensorView): void;
  /**
   * Rotates the halves of heads x `[batch, length, heads, d]` i32 by tables `[positions, d/2]` i32
   * Q20, the first token standing at `position`.
   */
  integerRope(
    out: TensorView,
    x: TensorView,
    cos: TensorView,
    sin: TensorView,
    position: number,
  ): void;
  /**
   * Causal attention `[batch, length, heads, d]` i32, in units of the values, of i8 codes: queries
   * `[batch, length, heads, d]`, keys and values `[batch, capacity, kvHeads, d]`, each head with a
   * factor. Exponentials by `integerExp` of scores less the largest; weights times the magnitude of
   * the value are rounded to 8 bits by the largest of the row, multiplied with the codes in int32, and
   * divided by the sum of the exponentials.
   */
  integerAttention(
    out: TensorView,
    queries: RoundedRows,
    keys: RoundedRows,
    values: RoundedRows,
    options: IntegerAttentionOptions,
  ): void;
  /**
   * Rounds `act(gate) · up` of rows `[T, n]` i32, below 2^26 each, to codes u8 as `integerRound` does
   * products.
   */
  integerGate(
    codes: TensorView,
    factors: TensorView | null,
    gate: TensorView,
    up: TensorView,
    options: IntegerGateOptions,
  ): void;
  /** `out = x · unit`, f32 of i32: the way out, behind the logits. */
  integerToFloat(out: TensorView, x: TensorView, unit: number): void;
}
