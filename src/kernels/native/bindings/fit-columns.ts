import type { FitOptions } from "../../../backend/kernels.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** The numbers that C knows the scale rules by (`native/ops/fit_columns.c`). */
const ruleCode: Readonly<Record<FitOptions["rule"], number>> = {
  range: 0,
  magnitude: 1,
  mean: 2,
  span: 3,
};

/** `native/ops/fit_columns.c` */
export const fitColumns: Binding<"fitColumns"> = (queue) => (scales, zeros, weight, options) => {
  const [rows = 0, columns = 0] = weight.shape;
  const [scaleRows = 0, groups = 0] = scales.shape;
  expectCount("fitColumns: rows of scales", scaleRows, rows);
  const { start, end, group, rule, grid, search } = options;
  queue.run(
    "fit_columns",
    [
      storageOf("fitColumns scales", scales, "f32"),
      storageOf("fitColumns zeros", zeros, "f32"),
      storageOf("fitColumns weight", weight, "f32"),
    ],
    [
      rows,
      columns,
      groups,
      group,
      start,
      end,
      ruleCode[rule],
      grid.levels,
      search?.candidates ?? 0,
    ],
    [grid.origin, grid.step, search?.shrinkStep ?? 0, search?.norm ?? 0],
  );
};
