import { bytesPerElement } from "../../../tensor/dtype.ts";
import { elementCount } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** `native/ops/write_rows.c` */
export const writeRows: Binding<"writeRows"> = (queue) => (cache, rows, position) => {
  const [batch = 0, capacity = 0, ...rest] = cache.shape;
  const [, length = 0] = rows.shape;
  const width = elementCount(rest);
  const from = cache.dtype === "f16" && rows.dtype === "f32" ? "f32" : cache.dtype;
  expectCount("writeRows: elements of rows", elementCount(rows.shape), batch * length * width);
  queue.run(
    "write_rows",
    [storageOf("writeRows cache", cache, cache.dtype), storageOf("writeRows rows", rows, from)],
    [batch, capacity, length, width, position, bytesPerElement(from), bytesPerElement(cache.dtype)],
  );
};

/** `native/ops/quantize_rows.c` */
export const quantizeRows: Binding<"quantizeRows"> = (queue) => (cache, scales, rows, position) => {
  const [batch = 0, capacity = 0, heads = 0, d = 0] = cache.shape;
  const [, length = 0] = rows.shape;
  const count = batch * length * heads * d;
  expectCount("quantizeRows: elements of rows", elementCount(rows.shape), count);
  expectCount("quantizeRows: scales", elementCount(scales.shape), batch * capacity * heads);
  queue.run(
    "quantize_rows",
    [
      storageOf("quantizeRows cache", cache, "i8"),
      storageOf("quantizeRows scales", scales, "f32"),
      storageOf("quantizeRows rows", rows, "f32"),
    ],
    [batch, capacity, length, heads, d, position],
  );
};
