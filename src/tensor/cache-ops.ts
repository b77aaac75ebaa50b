import { ShapeError } from "../util/errors.ts";
import { storedLength } from "./four-bit-rows.ts";
import { expectShape, type Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/*
 * The ops that write keys and values into a cache.
 */

/** Where rows are written to: from a position on, or each to a row of its own, `[length]`. */
export type RowPosition = number | Tensor<"i32">;

/** Copies rows into a cache, in place; see `Kernels.writeRows`. */
export function writeRows(cache: Tensor, rows: Tensor, position: RowPosition): void {
  expectRows(cache.shape, rows, position);
  cache.backend.kernels.writeRows(cache, rows, position);
}

/** Quantizes rows into a cache, in place; see `Kernels.quantizeRows`. */
export function quantizeRows(
  cache: Tensor<"i8" | "u8">,
  scales: Tensor<"f32">,
  rows: Tensor,
  position: RowPosition,
): void {
  const d = rows.shape.at(-1) ?? 0;
  expectShape("cache row", cache.shape.slice(-1), [storedLength(cache.dtype, d)]);
  expectRows([...cache.shape.slice(0, -1), d], rows, position);
  expectShape("cache scales", scales.shape, cache.shape.slice(0, -1));
  cache.backend.kernels.quantizeRows(cache, scales, rows, position);
}

function expectRows(cache: Shape, rows: Tensor, position: RowPosition): void {
  const [batch = 0, capacity = 0, ...rest] = cache;
  const [, length = 0] = rows.shape;
  expectShape("cache rows", rows.shape, [batch, length, ...rest]);
  if (typeof position !== "number") {
    expectShape("slots of cache rows", position.shape, [length]);
    expectShape("cache rows with slots", rows.shape.slice(0, 1), [1]);
  } else if (position + length > capacity) {
    throw new ShapeError(`cache: rows ${position}..${position + length} do not fit ${capacity}`);
  }
}
