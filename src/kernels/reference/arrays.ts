import type { TensorView } from "../../backend/kernels.ts";
import type { DType } from "../../tensor/dtype.ts";
import { ShapeError, UnsupportedError } from "../../util/errors.ts";
import {
  bfloatBitsToFloat,
  bfloatsToFloats,
  halfBitsToFloat,
  halvesToFloats,
} from "../../util/half.ts";

/** Returns the float32 elements of a view. */
export function floats(view: TensorView): Float32Array {
  return view.storage as Float32Array;
}

/** Returns the int32 elements of a view. */
export function integers(view: TensorView): Int32Array {
  return view.storage as Int32Array;
}

/** Returns the int32 row numbers of a view. @throws ShapeError when one is not in `[0, rows)` */
export function rowIndices(view: TensorView, rows: number): Int32Array {
  const indices = integers(view);
  for (const index of indices) {
    if (index >= 0 && index < rows) continue;
    throw new ShapeError(`expected ids from 0 to ${rows - 1}, got ${index}`);
  }
  return indices;
}

/**
 * Returns `count` elements of a view from `start` on as float32: a window for f32, a widened copy
 * in `scratch` for f16 and bf16.
 * @throws UnsupportedError for other dtypes
 */
export function widen(
  view: TensorView,
  start: number,
  count: number,
  scratch?: Float32Array,
): Float32Array {
  if (view.dtype === "f32") return floats(view).subarray(start, start + count);
  const bits = (view.storage as Uint16Array).subarray(start, start + count);
  const out = scratch?.subarray(0, count) ?? new Float32Array(count);
  if (view.dtype === "f16") return halvesToFloats(bits, out);
  if (view.dtype === "bf16") return bfloatsToFloats(bits, out);
  throw unsupportedDType(view.dtype);
}

/** Returns a reader of a view's elements (exact). @throws UnsupportedError for other than floats */
export function reader(view: TensorView): (index: number) => number {
  const array = view.storage as Float32Array | Float64Array | Uint16Array;
  switch (view.dtype) {
    case "f32":
    case "f64":
      return (index) => array[index];
    case "f16":
      return (index) => halfBitsToFloat(array[index]);
    case "bf16":
      return (index) => bfloatBitsToFloat(array[index]);
    default:
      throw unsupportedDType(view.dtype);
  }
}

/** Builds the error for a dtype that an op does not read or write. */
export function unsupportedDType(dtype: DType): UnsupportedError {
  return new UnsupportedError(`expected a float tensor (f64, f32, f16 or bf16), got ${dtype}`);
}
