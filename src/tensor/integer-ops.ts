import {
  type IntegerOutput,
  type IntegerWeight,
  largestIntegerWidth,
} from "../backend/integer-weight.ts";
import { ShapeError, UnsupportedError } from "../util/errors.ts";
import { asMatrix, elementCount, expectShape, type Shape } from "./shape.ts";
import { Tensor } from "./tensor.ts";

/*
 * The ops of layers with 8-bit activations.
 */

/** Activations `[..., n]` rounded to 8 bits: `scales[t] · (codes − zeroPoint)`. */
export interface RoundedActivations {
  readonly shape: Shape;
  /** `[T, n]` */
  readonly codes: Tensor<"u8">;
  /** `[T]` */
  readonly scales: Tensor<"f32">;
}

/** Rounds x `[..., n]` by a fixed scale, or each token by its magnitude (null, zero point 128). */
export function quantizeActivations(
  x: Tensor,
  fixed: { readonly scale: number; readonly zeroPoint: number } | null,
): RoundedActivations {
  const { rows, columns } = asMatrix(x.shape);
  const codes = Tensor.empty(x.backend, "u8", [rows, columns]);
  const scales = Tensor.empty(x.backend, "f32", [rows]);
  x.backend.kernels.quantizeActivations(codes, scales, x.reshape([rows, columns]), fixed);
  return { shape: x.shape, codes, scales };
}

/** Widens rounded activations to float32. */
export function dequantizeActivations(
  { shape, codes, scales }: RoundedActivations,
  zeroPoint: number,
): Tensor<"f32"> {
  const out = Tensor.empty(codes.backend, "f32", codes.shape);
  codes.backend.kernels.dequantizeActivations(out, codes, scales, zeroPoint);
  return out.reshape(shape);
}

/**
 * `x·Wᵀ` in integers with sums in int32, scaled to float32; result `[..., outFeatures]`.
 * @param offsets `[outFeatures]`, added to the sums
 * @param rowScales `[outFeatures]`
 */
export function scaledLinear(
  inputs: RoundedActivations,
  weight: IntegerWeight,
  offsets: Int32Array,
  rowScales: Float32Array,
): Tensor<"f32"> {
  const output = { kind: "scale", rowScales, tokenScales: inputs.scales } as const;
  const out = Tensor.empty(inputs.codes.backend, "f32", outputShape(inputs, weight));
  runIntegerMatmul(out, inputs, weight, offsets, output);
  return out;
}

/** `x·Wᵀ` in integers, requantized to 8 bits with `outputScale`; result `[..., outFeatures]`. */
export function requantizedLinear(
  inputs: RoundedActivations,
  weight: IntegerWeight,
  offsets: Int32Array,
  output: Extract<IntegerOutput, { kind: "requantize" }> & { readonly outputScale: number },
): RoundedActivations {
  const { backend, shape } = inputs.codes;
  const [rows = 0] = shape;
  const codes = Tensor.empty(backend, "u8", [rows, weight.outFeatures]);
  runIntegerMatmul(codes, inputs, weight, offsets, output);
  const scales = Tensor.from(
    backend,
    "f32",
    [rows],
    new Float32Array(rows).fill(output.outputScale),
  );
  return { shape: outputShape(inputs, weight), codes, scales };
}

/** Least and largest value of each row of x `[..., n]`: `[T, 2]` f32. */
export function rowRanges(x: Tensor): Tensor<"f32"> {
  const { rows, columns } = asMatrix(x.shape);
  const out = Tensor.empty(x.backend, "f32", [rows, 2]);
  x.backend.kernels.rowRanges(out, x.reshape([rows, columns]));
  return out;
}

function outputShape({ shape }: RoundedActivations, { outFeatures }: IntegerWeight): Shape {
  return [...shape.slice(0, -1), outFeatures];
}

function runIntegerMatmul(
  out: Tensor,
  { codes }: RoundedActivations,
  weight: IntegerWeight,
  offsets: Int32Array,
  output: IntegerOutput,
): void {
  const { outFeatures, inFeatures } = weight;
  const [rows = 0] = codes.shape;
  expectShape("integer linear input", codes.shape, [rows, inFeatures]);
  expectShape("integer linear offsets", [offsets.length], [outFeatures]);
  if (elementCount([outFeatures, inFeatures]) !== weight.values.length) {
    throw new ShapeError(`integer linear: ${weight.values.length} weights do not fit its shape`);
  }
  expectIntegerWidth(inFeatures);
  const flat = out.reshape([rows, outFeatures]);
  codes.backend.kernels.integerMatmul(flat, codes, weight, offsets, output);
}

/** @throws UnsupportedError for more input features than sums of products in int32 have room for */
export function expectIntegerWidth(inFeatures: number): void {
  if (inFeatures <= largestIntegerWidth) return;
  throw new UnsupportedError(
    `integer linear: ${inFeatures} input features, more than ${largestIntegerWidth}`,
    { hint: "quantize this layer without a8" },
  );
}
