import { elementCount, expectShape } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** `native/ops/quantize_columns.c` */
export const quantizeColumns: Binding<"quantizeColumns"> = (queue) => (codes, weight, options) => {
  const { start, end, factor, scales, zeros, groupOf, grid } = options;
  const [rows = 0, n = 0] = weight.shape;
  const groups = scales.shape[1] ?? 0;
  expectShape("quantizeColumns codes", codes.shape, [rows, n]);
  expectShape("quantizeColumns scales", scales.shape, [rows, groups]);
  expectShape("quantizeColumns zeros", zeros.shape, [rows, groups]);
  expectCount("quantizeColumns: elements of groupOf", elementCount(groupOf.shape), n);
  if (factor) expectShape("quantizeColumns factor", factor.shape, [n, n]);
  queue.run(
    "quantize_columns",
    [
      storageOf("quantizeColumns codes", codes, "u8"),
      storageOf("quantizeColumns weight", weight, "f32"),
      factor && storageOf("quantizeColumns factor", factor, "f32"),
      storageOf("quantizeColumns scales", scales, "f32"),
      storageOf("quantizeColumns zeros", zeros, "f32"),
      storageOf("quantizeColumns groupOf", groupOf, "i32"),
    ],
    [rows, n, groups, start, end, grid.levels],
    [grid.origin, grid.step],
  );
};
