import type {
  FixedRounding,
  IntegerAttentionOptions,
  IntegerGateOptions,
  IntegerNormOptions,
  FactorArrays,
} from "../backend/integer-kernels.ts";
import type { IntegerOutput, IntegerWeight } from "../backend/integer-weight.ts";
import { ShapeError, UnsupportedError } from "../util/errors.ts";
import { expectIntegerWidth } from "./integer-ops.ts";
import { asMatrix, expectShape, type Shape } from "./shape.ts";
import { Tensor } from "./tensor.ts";

/*
 * The ops of forward passes without floats; what they compute stands in `IntegerKernels`.
 */

const widestNorm = 32768;
/** Sums of 255 · 127 a key fit an int32. */
const mostKeys = 66311;

/** Rows of 8-bit codes, each with a factor of its own, or none where they share a fixed scale. */
export interface IntegerRowsRounded<D extends "u8" | "i8" = "u8"> {
  readonly codes: Tensor<D>;
  /** `[..., 2]` i32, one pair a row. */
  readonly factors: Tensor<"i32"> | null;
}

/** Looks up rows of a table of 8-bit integers at ids of any shape: `[...ids, d]` i32. */
export function integerLookUp(
  table: IntegerWeight,
  ids: Tensor<"i32">,
  factors: FactorArrays,
): Tensor<"i32"> {
  const out = Tensor.empty(ids.backend, "i32", [ids.size, table.inFeatures]);
  ids.backend.kernels.integerLookUp(out, table, ids.reshape([ids.size]), factors);
  return out.reshape([...ids.shape, table.inFeatures]);
}

/** Normalises rows of x `[..., n]`. @throws ShapeError where n is more than 32768 */
export function integerNorm(x: Tensor<"i32">, options: IntegerNormOptions): Tensor<"i32"> {
  const { rows, columns } = asMatrix(x.shape);
  expectShape("integer norm weights", [options.weights.length], [columns]);
  if (columns > widestNorm) throw new ShapeError(`integer norm: ${columns} columns are too many`);
  const out = Tensor.empty(x.backend, "i32", [rows, columns]);
  x.backend.kernels.integerNorm(out, x.reshape([rows, columns]), options);
  return out.reshape(x.shape);
}

/** Rounds rows of x `[..., n]` to codes 0 … 255, by a fixed scale or (null) each by its magnitude. */
export function integerRound(x: Tensor<"i32">, fixed: FixedRounding | null): IntegerRowsRounded {
  const { rows, columns } = asMatrix(x.shape);
  const codes = Tensor.empty(x.backend, "u8", [rows, columns]);
  const factors = fixed ? null : Tensor.empty(x.backend, "i32", [rows, 2]);
  x.backend.kernels.integerRound(codes, factors, x.reshape([rows, columns]), fixed);
  return { codes, factors };
}

/** Rounds heads `[batch, length, heads, d]` to codes −127 … 127, each head by its magnitude. */
export function integerRoundHeads(x: Tensor<"i32">): {
  readonly codes: Tensor<"i8">;
  readonly factors: Tensor<"i32">;
} {
  const { rows, columns } = asMatrix(x.shape);
  const codes = Tensor.empty(x.backend, "i8", [rows, columns]);
  const factors = Tensor.empty(x.backend, "i32", [rows, 2]);
  x.backend.kernels.integerRound(codes, factors, x.reshape([rows, columns]), null);
  const heads = x.shape.slice(0, -1);
  return { codes: codes.reshape(x.shape), factors: factors.reshape([...heads, 2]) };
}

/** Sums of 8-bit products as int32 in other units: `[T, outFeatures]`. */
export function integerLinear(
  { codes, factors }: IntegerRowsRounded,
  weight: IntegerWeight,
  offsets: Int32Array,
  output: Omit<Extract<IntegerOutput, { kind: "wide" }>, "kind" | "factors">,
): Tensor<"i32"> {
  const [rows = 0] = codes.shape;
  expectShape("integer linear input", codes.shape, [rows, weight.inFeatures]);
  expectIntegerWidth(weight.inFeatures);
  const out = Tensor.empty(codes.backend, "i32", [rows, weight.outFeatures]);
  const wide = { ...output, kind: "wide", factors } as const;
  codes.backend.kernels.integerMatmul(out, codes, weight, offsets, wide);
  return out;
}

/** Sums of 8-bit products rounded to 8 bits by fixed factors, then widened: `[T, outFeatures]`. */
export function integerLinearRounded(
  { codes }: IntegerRowsRounded,
  weight: IntegerWeight,
  offsets: Int32Array,
  output: Extract<IntegerOutput, { kind: "requantize" }>,
  widening: FixedRounding,
): Tensor<"i32"> {
  const [rows = 0] = codes.shape;
  expectShape("integer linear input", codes.shape, [rows, weight.inFeatures]);
  expectIntegerWidth(weight.inFeatures);
  const { backend } = codes;
  const rounded = Tensor.empty(backend, "u8", [rows, weight.outFeatures]);
  backend.kernels.integerMatmul(rounded, codes, weight, offsets, output);
  const out = Tensor.empty(backend, "i32", [rows, weight.outFeatures]);
  backend.kernels.integerWiden(out, rounded, widening);
  return out;
}

/** `a + b`, saturating. */
export function integerAdd(a: Tensor<"i32">, b: Tensor<"i32">): Tensor<"i32"> {
  expectShape("integer sum", b.shape, a.shape);
  const out = Tensor.empty(a.backend, "i32", a.shape);
  a.backend.kernels.integerAdd(out, a, b);
  return out;
}

/** Rotates heads `[batch, length, heads, d]`, the first token standing at `position`. */
export function integerRope(
  x: Tensor<"i32">,
  cos: Tensor<"i32">,
  sin: Tensor<"i32">,
  position: number,
): Tensor<"i32"> {
  const [, length = 0, , width = 0] = x.shape;
  const [positions = 0] = cos.shape;
  expectShape("integer rope sines", sin.shape, cos.shape);
  expectShape("integer rope cosines", cos.shape, [positions, width / 2]);
  if (position + length > positions) throw new ShapeError("integer rope: too few positions");
  const out = Tensor.empty(x.backend, "i32", x.shape);
  x.backend.kernels.integerRope(out, x, cos, sin, position);
  return out;
}

/** 8-bit heads with a factor each. */
interface RoundedHeads {
  readonly codes: Tensor;
  readonly factors: Tensor;
}

/**
 * Causal attention of q `[batch, length, heads, d]`; the result has its shape.
 * @throws UnsupportedError for more than 66,311 keys
 */
export function integerAttention(
  q: RoundedHeads,
  k: RoundedHeads,
  v: RoundedHeads,
  options: IntegerAttentionOptions,
): Tensor<"i32"> {
  const [batch = 0, , , width = 0] = q.codes.shape;
  const [, capacity = 0, kvHeads = 0] = k.codes.shape;
  const cached: Shape = [batch, capacity, kvHeads, width];
  expectShape("integer attention keys", k.codes.shape, cached);
  expectShape("integer attention values", v.codes.shape, cached);
  if (options.keyLength > mostKeys) {
    throw new UnsupportedError(`integer attention: ${options.keyLength} keys are too many`, {
      hint: `at most ${mostKeys} tokens go without floats`,
    });
  }
  const out = Tensor.empty(q.codes.backend, "i32", q.codes.shape);
  out.backend.kernels.integerAttention(out, q, k, v, options);
  return out;
}

/** Rounds `act(gate) · up`, rows `[..., n]`, to codes. */
export function integerGate(
  gate: Tensor<"i32">,
  up: Tensor<"i32">,
  options: IntegerGateOptions,
): IntegerRowsRounded {
  expectShape("integer gate", up.shape, gate.shape);
  const { rows, columns } = asMatrix(gate.shape);
  const codes = Tensor.empty(gate.backend, "u8", [rows, columns]);
  const factors = options.fixed ? null : Tensor.empty(gate.backend, "i32", [rows, 2]);
  const [gates, ups] = [gate.reshape([rows, columns]), up.reshape([rows, columns])];
  gate.backend.kernels.integerGate(codes, factors, gates, ups, options);
  return { codes, factors };
}

/** Integers times their unit, as float32. */
export function integerToFloat(x: Tensor<"i32">, unit: number): Tensor<"f32"> {
  const out = Tensor.empty(x.backend, "f32", x.shape);
  x.backend.kernels.integerToFloat(out, x, unit);
  return out;
}
