import { bytesPerElement } from "../../../tensor/dtype.ts";
import { elementCount } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** `native/ops/write_rows.c` */
export const writeRows: Binding<"writeRows"> = (queue) => (cache, rows, position) => {
  const [batch = 0, capacity = 0, ...rest] = cache.shape;
  const [, length = 0] = rows.shape;
  const width = elementCount(rest);
  expectCount("writeRows: elements of rows", elementCount(rows.shape), batch * length * width);
  queue.run(
    "write_rows",
    [
      storageOf("writeRows cache", cache, cache.dtype),
      storageOf("writeRows rows", rows, cache.dtype),
    ],
    [batch, capacity, length, width * bytesPerElement(cache.dtype), position],
  );
};
