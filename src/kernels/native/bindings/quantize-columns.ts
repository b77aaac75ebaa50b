import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** Columns that the kernel takes at a time (`PANEL` in C): the width of its workspace. */
const panelColumns = 128;

/** `native/ops/quantize_columns.c` */
export const quantizeColumns: Binding<"quantizeColumns"> = (queue) => (codes, weight, options) => {
  const [rows = 0, n = 0] = weight.shape;
  const { start, end, grid, factor } = options;
  const [scaleRows = 0, groups = 0] = options.scales.shape;
  expectCount("quantizeColumns: rows of scales", scaleRows, rows);
  queue.run(
    "quantize_columns",
    [
      storageOf("quantizeColumns codes", codes, "u8"),
      storageOf("quantizeColumns weight", weight, "f32"),
      factor && storageOf("quantizeColumns factor", factor, "f32"),
      storageOf("quantizeColumns scales", options.scales, "f32"),
      storageOf("quantizeColumns zeros", options.zeros, "f32"),
      storageOf("quantizeColumns groupOf", options.groupOf, "i32"),
      factor && new Float32Array(rows * panelColumns),
    ],
    [rows, n, groups, start, end, grid.levels],
    [grid.origin, grid.step],
  );
};
