import type { Kernels } from "../../../backend/kernels.ts";
import type { TypedArray } from "../../../tensor/dtype.ts";
import { elementCount } from "../../../tensor/shape.ts";
import { floatsToHalves } from "../../../util/half.ts";
import { floats, integers } from "../arrays.ts";

/**
 * Copies `rows [batch, length, ...]` into `cache [batch, capacity, ...]` from row `position` on;
 * or to rows of their own; f32 rows are rounded for an f16 cache.
 */
export const writeRows: Kernels["writeRows"] = (cache, rows, position) => {
  const [batch = 0, capacity = 0, ...rest] = cache.shape;
  const [, length = 0] = rows.shape;
  const width = elementCount(rest);
  const target = cache.storage as Float32Array;
  const narrows = cache.dtype === "f16" && rows.dtype === "f32";
  const source = (narrows
    ? floatsToHalves(floats(rows))
    : rows.storage) as TypedArray as Float32Array;
  if (typeof position !== "number") {
    for (const [i, slot] of integers(position).entries()) {
      target.set(source.subarray(i * width, (i + 1) * width), slot * width);
    }
    return;
  }
  for (let b = 0; b < batch; b++) {
    const from = b * length * width;
    target.set(source.subarray(from, from + length * width), (b * capacity + position) * width);
  }
};
