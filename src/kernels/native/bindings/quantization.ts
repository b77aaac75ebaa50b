import type { FitOptions } from "../../../backend/kernels.ts";
import { defineBinding } from "../binding.ts";
import {
  columnsOf,
  countOf,
  exact,
  f32,
  f32Groups,
  f32Matrix,
  f64,
  i32,
  optional,
  rowsOf,
  u8,
  viewOf,
} from "../buffer-rule.ts";

/** The numbers that C knows the scale rules by (`native/ops/fit_columns.c`). */
const ruleCodes: Readonly<Record<FitOptions["rule"], number>> = {
  range: 0,
  magnitude: 1,
  mean: 2,
  span: 3,
};

/** The formats whose search C knows, in the order of their rules (`native/ops/search_blocks.c`). */
const blockFormats: readonly string[] = [
  "q4_0",
  "q4_1",
  "q5_0",
  "q5_1",
  "q8_0",
  "q2_k",
  "q3_k",
  "q4_k",
  "q5_k",
  "q6_k",
  "tq1_0",
  "tq2_0",
  "q1_0",
  "q2_0",
];

const noSearch = { candidates: 0, shrinkStep: 0, norm: 0 };

/** Sizes of `refitGroups`: where it works, and what factors a group may have. */
const groupPlace = [
  "rows",
  "columns",
  "blockColumns",
  "groupColumns",
  "start",
  "end",
  "levels",
] as const;
const groupRange = ["hasSubScales", "below", "above", "most", "subtracts", "reach"] as const;

/** Statistics of inputs, and the search of scales, zero points and codes. */
export const quantizationBindings = [
  defineBinding("scaleRows", {
    buffers: [f32Matrix("out"), f32Matrix("x"), f32("factors", "rows")],
    sizes: ["rows", "columns"],
    values: (out, x, factors) => [out, x, factors, rowsOf(x), columnsOf(x)],
  }),
  defineBinding("gram", {
    buffers: [exact(f64("gram", "columns", "columns")), f32Matrix("x")],
    sizes: ["rows", "columns", "isBf16"],
    values: (gram, x, type) => [gram, x, rowsOf(x), columnsOf(x), Number(type === "bf16")],
  }),
  defineBinding("magnitudes", {
    buffers: [exact(f64("sums", "columns")), exact(f32("peaks", "columns")), f32Matrix("x")],
    sizes: ["rows", "columns"],
    values: (sums, peaks, x) => [sums, peaks, x, rowsOf(x), columnsOf(x)],
  }),
  defineBinding("energies", {
    buffers: [exact(f64("sums", "columns")), f32Matrix("x")],
    sizes: ["rows", "columns"],
    values: (sums, x) => [sums, x, rowsOf(x), columnsOf(x)],
  }),
  defineBinding("diagonal", {
    buffers: [f64("out", "n"), f64("h", "n", "n")],
    sizes: ["n"],
    values: (out, h) => [out, h, countOf(out)],
  }),
  defineBinding("inverseCholesky", {
    buffers: [
      exact(f32("u", "n", "n")),
      exact(f64("h", "n", "n")),
      f64("diagonal", "n"),
      exact(i32("status", 1)),
      optional(i32("order", "n")),
    ],
    sizes: ["n"],
    values: (u, h, diagonal, status, order) => {
      return [u, h, diagonal, status, order, countOf(diagonal)];
    },
  }),
  defineBinding("fitColumns", {
    buffers: [f32Groups("scales"), f32Groups("zeros"), f32Matrix("weight"), null],
    sizes: ["rows", "columns", "groups", "group", "start", "end", "rule", "levels", "candidates"],
    reals: ["origin", "step", "shrinkStep", "norm"],
    values: (scales, zeros, weight, { start, end, group, rule, grid, search }) => {
      const [rows = 0, columns = 0] = weight.shape;
      const { candidates, shrinkStep, norm } = search ?? noSearch;
      const views = [scales, zeros, weight, grid.values ?? null] as const;
      const place = [rows, columns, columnsOf(scales), group, start, end] as const;
      const sizes = [...place, ruleCodes[rule], grid.levels, candidates] as const;
      return [...views, ...sizes, grid.origin, grid.step, shrinkStep, norm];
    },
  }),
  defineBinding("clusterRows", {
    buffers: [
      exact(viewOf("f16")("table", "rows", "levels")),
      exact(u8("codes", "rows", "columns")),
      f32Matrix("values"),
      f32Matrix("weights"),
    ],
    sizes: ["rows", "columns", "levels"],
    values: (table, codes, values, weights) => {
      const views = [table, codes, values, weights] as const;
      return [...views, rowsOf(values), columnsOf(values), columnsOf(table)];
    },
  }),
  defineBinding("refineZeros", {
    buffers: [f32Groups("zeros"), f32Groups("errors"), f32Matrix("weight"), f32Groups("scales")],
    sizes: ["rows", "columns", "groupSize", "levels"],
    reals: ["norm", "beta"],
    lengths: ["groups"],
    values: (zeros, errors, weight, { scales, groupSize, levels, norm, beta }) => {
      const [rows = 0, columns = 0] = weight.shape;
      const groups = Math.ceil(columns / groupSize);
      const views = [zeros, errors, weight, scales] as const;
      return [...views, rows, columns, groupSize, levels, norm, beta, groups];
    },
  }),
  defineBinding("searchBlocks", {
    buffers: [
      exact(u8("codes", "rows", "columns")),
      viewOf("f16")("scales", "rows", "blocks"),
      viewOf("f16")("offsets", "rows", "blocks"),
      viewOf("i8")("sub-scales", "rows", "groups"),
      u8("sub-offsets", "rows", "groups"),
      f32Matrix("weight"),
      optional(f32("importance", "columns")),
    ],
    sizes: ["rows", "columns", "format", "start", "end"],
    lengths: ["blocks", "groups"],
    covers: (_, __, { format }) => blockFormats.includes(format.id),
    values: (chosen, weight, { format, start, end, importance }) => {
      const { codes, scales, offsets, subScales, subOffsets } = chosen;
      const [rows = 0, columns = 0] = weight.shape;
      const views = [codes, scales, offsets, subScales, subOffsets, weight, importance] as const;
      const sizes = [rows, columns, blockFormats.indexOf(format.id), start, end] as const;
      return [...views, ...sizes, columns / format.columns, columns / format.groupColumns];
    },
  }),
  defineBinding("refitGroups", {
    buffers: [
      f32Groups("scales"),
      optional(f32Groups("offsets")),
      viewOf("f16")("scales of blocks", "rows", "blocks"),
      viewOf("f16")("offsets of blocks", "rows", "blocks"),
      viewOf("i8")("sub-scales", "rows", "groups"),
      u8("sub-offsets", "rows", "groups"),
      f32Matrix("weight"),
      optional(f32("importance", "columns")),
    ],
    sizes: [...groupPlace, ...groupRange],
    reals: ["origin", "step"],
    lengths: ["blocks", "groups"],
    values: (scales, offsets, chosen, weight, { format, start, end, importance, reach }) => {
      const { scales: ofBlocks, offsets: offsetsOfBlocks, subScales, subOffsets } = chosen;
      const outputs = [scales, offsets, ofBlocks, offsetsOfBlocks, subScales, subOffsets] as const;
      const [rows = 0, columns = 0] = weight.shape;
      const { columns: blockColumns, groupColumns, levels, origin, step } = format;
      const place = [rows, columns, blockColumns, groupColumns, start, end, levels] as const;
      const [low, high] = format.subScaleRange ?? [0, 0];
      const subtracts = Number(format.offset === "subtracted");
      const most = format.largestSubOffset ?? 0;
      const range = [Number(format.subScaleRange !== null), -low, high, most, subtracts] as const;
      const lengths = [columns / blockColumns, columns / groupColumns] as const;
      const views = [...outputs, weight, importance] as const;
      return [...views, ...place, ...range, reach, origin, step, ...lengths];
    },
  }),
  defineBinding("quantizeColumns", {
    buffers: [
      exact(u8("codes", "rows", "columns")),
      f32Matrix("weight"),
      optional(exact(f32("factor", "columns", "columns"))),
      f32Groups("scales"),
      f32Groups("zeros"),
      optional(f32Groups("offsets")),
      i32("groupOf", "columns"),
      null,
    ],
    sizes: ["rows", "columns", "groups", "start", "end", "levels"],
    reals: ["origin", "step"],
    values: (codes, weight, { factor, scales, zeros, offsets, groupOf, start, end, grid }) => {
      const [rows = 0, columns = 0] = weight.shape;
      const levels = grid.values ?? null;
      const views = [codes, weight, factor, scales, zeros, offsets, groupOf, levels] as const;
      const sizes = [rows, columns, columnsOf(scales), start, end, grid.levels] as const;
      return [...views, ...sizes, grid.origin, grid.step];
    },
  }),
];
