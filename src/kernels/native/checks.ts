import type { Storage, TensorView } from "../../backend/kernels.ts";
import type { DType, TypedArray } from "../../tensor/dtype.ts";
import { elementCount, formatShape } from "../../tensor/shape.ts";
import { ShapeError, UnsupportedError } from "../../util/errors.ts";

/**
 * Returns the typed array of a view after checking what C relies on: the dtype, and as many
 * elements as the shape says.
 * @throws UnsupportedError for another dtype
 * @throws ShapeError when the array has another length than the shape
 */
export function storageOf(what: string, view: TensorView, ...dtypes: readonly DType[]): Storage {
  if (!dtypes.includes(view.dtype)) {
    throw new UnsupportedError(`${what}: expected ${dtypes.join(" or ")}, got ${view.dtype}`);
  }
  const { length } = view.storage as TypedArray;
  const count = elementCount(view.shape);
  if (length === count) return view.storage;
  throw new ShapeError(
    `${what}: expected ${count} elements for shape ${formatShape(view.shape)}, got ${length}`,
  );
}

/** @throws ShapeError when a dimension or count is not as expected */
export function expectCount(what: string, actual: number, expected: number): void {
  if (actual !== expected) throw new ShapeError(`${what}: expected ${expected}, got ${actual}`);
}

/** The number that C knows a dtype by (`native/ops/dtype.h`). */
export const dtypeCode: { readonly [K in DType]?: number } = {
  f32: 0,
  f16: 1,
  bf16: 2,
  f64: 3,
  i8: 4,
};
