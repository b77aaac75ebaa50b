import type { TensorForm } from "../nn/weight-source.ts";
import type { Shape } from "../tensor/shape.ts";

/**
 * Returns the shape of a tensor as it is computed with, from that in which it is stored, or back.
 */
export function turnedShape(shape: Shape, form: TensorForm | undefined): Shape {
  return form?.transposed ? shape.toReversed() : shape;
}

/** Returns values as they are computed with from those that are stored, of shape `stored`. */
export function fromStoredForm<Buffer extends ArrayBufferLike>(
  values: Float32Array<Buffer>,
  stored: Shape,
  form: TensorForm | undefined,
): Float32Array<Buffer> {
  if (!form) return values;
  if (form.offset !== 0) for (let i = 0; i < values.length; i++) values[i] += form.offset;
  return form.transposed ? transpose(values, stored[0], stored[1]) : values;
}

/** Returns values as they are stored from those that are computed with, of shape `shape`. */
export function toStoredForm(
  values: Float32Array,
  shape: Shape,
  form: TensorForm | undefined,
): Float32Array {
  if (!form) return values;
  const stored = form.offset === 0 ? values : values.map((value) => value - form.offset);
  return form.transposed ? transpose(stored, shape[0], shape[1]) : stored;
}

/** Returns the transpose of a matrix `[rows, columns]`. */
export function transpose<T extends Float32Array | Uint16Array>(
  values: T,
  rows: number,
  columns: number,
): T {
  const turned = values.slice() as T;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      turned[column * rows + row] = values[row * columns + column];
    }
  }
  return turned;
}
