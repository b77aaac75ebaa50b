import type { Backend } from "../../../src/backend/backend.ts";
import type { ArrayOf, DType } from "../../../src/tensor/dtype.ts";
import { elementCount, type Shape } from "../../../src/tensor/shape.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import {
  bfloatBitsToFloat,
  floatsToBfloats,
  floatsToHalves,
  halfBitsToFloat,
} from "../../../src/util/half.ts";
import { Prng } from "../../../src/util/prng.ts";

/** Float dtypes that hold weights. */
export type FloatDType = "f32" | "f16" | "bf16";

/** An input of an op: its bits for the backend and the same values for the formula. */
export interface Sample {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly array: ArrayOf[DType];
  readonly values: Float64Array;
}

/** Draws standard normal values, rounded to `dtype`. */
export function normalSample(
  shape: Shape,
  seed: number,
  dtype: FloatDType = "f32",
  spread = 1,
): Sample {
  const random = new Prng(seed);
  const draws = Float32Array.from({ length: elementCount(shape) }, () => random.normal() * spread);
  return floatSample(shape, draws, dtype);
}

/** Takes given values, rounded to `dtype`. */
export function floatSample(
  shape: Shape,
  given: ArrayLike<number>,
  dtype: FloatDType = "f32",
): Sample {
  if (dtype === "f32") {
    const array = Float32Array.from(given);
    return { dtype, shape, array, values: Float64Array.from(array) };
  }
  const array = dtype === "f16" ? floatsToHalves(given) : floatsToBfloats(given);
  const widen = dtype === "f16" ? halfBitsToFloat : bfloatBitsToFloat;
  return { dtype, shape, array, values: Float64Array.from(array, widen) };
}

/** Moves a copy of a sample to a backend. */
export function upload(backend: Backend, sample: Sample): Tensor {
  return Tensor.from(backend, sample.dtype, sample.shape, sample.array.slice());
}

/** Moves integers to a backend. */
export function uploadIds(backend: Backend, ids: readonly number[]): Tensor<"i32"> {
  return Tensor.from(backend, "i32", [ids.length], Int32Array.from(ids));
}

/** An output tensor full of NaN, so that an element that is not written shows. */
export function blankOutput(backend: Backend, shape: Shape): Tensor<"f32"> {
  const array = new Float32Array(elementCount(shape)).fill(Number.NaN);
  return Tensor.from(backend, "f32", shape, array);
}
