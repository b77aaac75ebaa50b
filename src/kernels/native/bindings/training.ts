import type {
  FactoredRanges,
  RangeRule,
  StraightThrough,
} from "../../../backend/training-kernels.ts";
import { defineBinding } from "../binding.ts";
import {
  columnsOf,
  countOf,
  dtypeCode,
  exact,
  f32,
  f32Groups,
  f32Matrix,
  f64,
  i32,
  optional,
  rowsOf,
  viewOf,
} from "../buffer-rule.ts";

/** Rules, by the numbers of `native/ops/straight_through.h`. */
const ruleCodes: Readonly<Record<StraightThrough["rule"], number>> = {
  round: 0,
  "zero-point": 1,
  sign: 2,
};

/** Kinds of ranges, by the numbers of `native/ops/range_scales.h`. */
const rangeCodes: Readonly<Record<RangeRule["kind"], number>> = {
  asymmetric: 0,
  symmetric: 1,
  centred: 2,
};

const ruleSizes = ["rule", "passOutside"] as const;
const ruleReals = ["low", "high", "resolution", "shift", "lowSlope", "highSlope"] as const;

const rangeBuffers = [
  f32("low", "count"),
  f32("high", "count"),
  f32("lowFactors", "count"),
  f32("highFactors", "count"),
] as const;

/** Losses, sums, weights that are trained as if quantized, and the step of AdamW. */
export const trainingBindings = [
  defineBinding("crossEntropy", {
    buffers: [f32("losses", "rows"), f32Matrix("logits"), i32("targets", "rows")],
    sizes: ["rows", "columns"],
    values: (losses, logits, targets) => {
      return [losses, logits, targets, rowsOf(logits), columnsOf(logits)];
    },
  }),
  defineBinding("crossEntropyBackward", {
    buffers: [f32Matrix("dLogits"), f32Matrix("logits"), i32("targets", "rows")],
    sizes: ["rows", "columns"],
    reals: ["scale"],
    values: (dLogits, logits, targets, scale) => {
      return [dLogits, logits, targets, rowsOf(logits), columnsOf(logits), scale];
    },
  }),
  defineBinding("klDivergence", {
    buffers: [
      f32("divergence", "rows"),
      f32("agree", "rows"),
      f32Matrix("teacher"),
      f32Matrix("student"),
    ],
    sizes: ["rows", "columns"],
    values: (divergence, agree, teacher, student) => {
      return [divergence, agree, teacher, student, rowsOf(teacher), columnsOf(teacher)];
    },
  }),
  defineBinding("klDivergenceBackward", {
    buffers: [f32Matrix("dStudent"), f32Matrix("teacher"), f32Matrix("student")],
    sizes: ["rows", "columns"],
    reals: ["scale"],
    values: (dStudent, teacher, student, scale) => {
      return [dStudent, teacher, student, rowsOf(student), columnsOf(student), scale];
    },
  }),
  defineBinding("directionError", {
    buffers: [
      f32("errors", "rows"),
      optional(f32Matrix("dStudent")),
      f32Matrix("teacher"),
      f32Matrix("student"),
    ],
    sizes: ["rows", "columns"],
    reals: ["scale"],
    values: (errors, dStudent, teacher, student, scale) => {
      return [errors, dStudent, teacher, student, rowsOf(student), columnsOf(student), scale];
    },
  }),
  defineBinding("squaredError", {
    buffers: [
      f64("total", 1),
      f32Matrix("difference"),
      f32Matrix("a"),
      f32Matrix("b"),
      optional(f32("weights", "rows")),
    ],
    sizes: ["rows", "columns"],
    reals: ["scale"],
    values: (total, difference, a, b, weights, scale) => {
      return [total, difference, a, b, weights, rowsOf(a), columnsOf(a), scale];
    },
  }),
  defineBinding("sumSquares", {
    buffers: [f64("sum", 1), f32("x", "count")],
    sizes: ["count"],
    values: (sum, x) => [sum, x, countOf(x)],
  }),
  defineBinding("columnSums", {
    buffers: [f32("out", "columns"), f32Matrix("x")],
    sizes: ["rows", "columns"],
    values: (out, x) => [out, x, rowsOf(x), columnsOf(x)],
  }),
  defineBinding("roundScales", {
    buffers: [f32("out", "count"), f32("scales", "count")],
    sizes: ["count", "thirds"],
    reals: ["least"],
    values: (out, scales, least, thirds) => [out, scales, countOf(out), Number(thirds), least],
  }),
  defineBinding("fakeQuantize", {
    buffers: [
      exact(viewOf("f32", "bf16")("out", "rows", "columns")),
      f32Matrix("weight"),
      optional(f32Groups("scales")),
      optional(f32Groups("zeros")),
      optional(f32Groups("offsets")),
      optional(exact(f32Matrix("shifts"))),
    ],
    sizes: ["rows", "columns", "groupSize", "dtype", ...ruleSizes],
    reals: ruleReals,
    lengths: ["groups"],
    values: (out, weight, { scales, zeros, offsets, shifts, groupSize }, how) => {
      const views = [out, weight, scales, zeros, offsets, shifts] as const;
      const [rows = 0, columns = 0] = weight.shape;
      const sizes = [rows, columns, groupSize, dtypeCode(out)] as const;
      return [...views, ...sizes, ...ruleValues(how), Math.ceil(columns / groupSize)];
    },
  }),
  defineBinding("fakeQuantizeBackward", {
    buffers: [
      optional(exact(f32Matrix("dWeight"))),
      optional(f32Groups("dScales")),
      optional(f32Groups("dZeros")),
      optional(f32Groups("dOffsets")),
      optional(exact(f32Matrix("dShifts"))),
      exact(f32Matrix("dOut")),
      f32Matrix("weight"),
      optional(f32Groups("scales")),
      optional(f32Groups("zeros")),
      optional(f32Groups("offsets")),
      optional(exact(f32Matrix("shifts"))),
    ],
    sizes: ["rows", "columns", "groupSize", ...ruleSizes],
    reals: ruleReals,
    lengths: ["groups"],
    values: (gradients, dOut, weight, { scales, zeros, offsets, shifts, groupSize }, how) => {
      const { dWeight, dScales, dZeros, dOffsets, dShifts } = gradients;
      const outputs = [dWeight, dScales, dZeros, dOffsets, dShifts] as const;
      const views = [...outputs, dOut, weight, scales, zeros, offsets, shifts] as const;
      const [rows = 0, columns = 0] = weight.shape;
      const groups = Math.ceil(columns / groupSize);
      return [...views, rows, columns, groupSize, ...ruleValues(how), groups];
    },
  }),
  defineBinding("roundingErrors", {
    buffers: [
      f32Groups("errors"),
      optional(f32("importance", "columns")),
      exact(f32Matrix("weight")),
      optional(f32Groups("scales")),
      optional(f32Groups("zeros")),
      optional(f32Groups("offsets")),
      optional(exact(f32Matrix("shifts"))),
    ],
    sizes: ["rows", "columns", "groupSize", ...ruleSizes],
    reals: ruleReals,
    lengths: ["groups"],
    values: (errors, importance, weight, { scales, zeros, offsets, shifts, groupSize }, how) => {
      const views = [errors, importance, weight, scales, zeros, offsets, shifts] as const;
      const [rows = 0, columns = 0] = weight.shape;
      const groups = Math.ceil(columns / groupSize);
      return [...views, rows, columns, groupSize, ...ruleValues(how), groups];
    },
  }),
  defineBinding("rangeScales", {
    buffers: [f32("scales", "count"), f32("zeros", "count"), ...rangeBuffers],
    sizes: ["count", "kind"],
    reals: ["top", "least"],
    values: (scales, zeros, ranges, how) => {
      return [scales, zeros, ...rangeViews(ranges), countOf(scales), ...rangeValues(how)];
    },
  }),
  defineBinding("rangeScalesBackward", {
    buffers: [
      f32("dLowFactors", "count"),
      f32("dHighFactors", "count"),
      f32("dScales", "count"),
      f32("dZeros", "count"),
      ...rangeBuffers,
    ],
    sizes: ["count", "kind"],
    reals: ["top", "least"],
    values: (dLow, dHigh, dScales, dZeros, ranges, how) => {
      const views = [dLow, dHigh, dScales, dZeros, ...rangeViews(ranges)] as const;
      return [...views, countOf(dScales), ...rangeValues(how)];
    },
  }),
  defineBinding("roundSoftly", {
    buffers: [
      viewOf("f32", "bf16")("out", "count"),
      f32("low", "count"),
      f32("step", "count"),
      f32("v", "count"),
    ],
    sizes: ["count", "dtype", "hard"],
    values: (out, low, step, v, hard) => {
      return [out, low, step, v, countOf(v), dtypeCode(out), Number(hard)];
    },
  }),
  defineBinding("roundSoftlyBackward", {
    buffers: [f32("dV", "count"), f32("dOut", "count"), f32("step", "count"), f32("v", "count")],
    sizes: ["count"],
    values: (dV, dOut, step, v) => [dV, dOut, step, v, countOf(v)],
  }),
  defineBinding("addRoundingPenalty", {
    buffers: [f32("dV", "count"), f32("v", "count")],
    sizes: ["count"],
    reals: ["weight", "power"],
    values: (dV, v, weight, power) => [dV, v, countOf(v), weight, power],
  }),
  defineBinding("groupRanges", {
    buffers: [f32Groups("low"), f32Groups("high"), exact(f32Matrix("weight"))],
    sizes: ["rows", "columns", "groupSize"],
    lengths: ["groups"],
    values: (low, high, weight, groupSize) => {
      const [rows = 0, columns = 0] = weight.shape;
      return [low, high, weight, rows, columns, groupSize, Math.ceil(columns / groupSize)];
    },
  }),
  defineBinding("groupRangesBackward", {
    buffers: [
      exact(f32Matrix("dWeight")),
      f32Groups("dLowFactors"),
      f32Groups("dHighFactors"),
      exact(f32Matrix("weight")),
      f32Groups("low"),
      f32Groups("high"),
      f32Groups("lowFactors"),
      f32Groups("highFactors"),
    ],
    sizes: ["rows", "columns", "groupSize"],
    lengths: ["groups"],
    values: (dWeight, dLow, dHigh, weight, ranges, groupSize) => {
      const views = [dWeight, dLow, dHigh, weight, ...rangeViews(ranges)] as const;
      const [rows = 0, columns = 0] = weight.shape;
      return [...views, rows, columns, groupSize, Math.ceil(columns / groupSize)];
    },
  }),
  defineBinding("fakeQuantizeRows", {
    buffers: [f32Matrix("out"), f32Matrix("x")],
    sizes: ["rows", "columns"],
    reals: ["levels"],
    values: (out, x, levels) => [out, x, rowsOf(x), columnsOf(x), levels],
  }),
  defineBinding("rowMagnitudes", {
    buffers: [f32("means", "rows"), f32Matrix("x")],
    sizes: ["rows", "columns"],
    values: (means, x) => [means, x, rowsOf(x), columnsOf(x)],
  }),
  defineBinding("signRows", {
    buffers: [f32Matrix("out"), f32Matrix("x"), f32("scales", "rows")],
    sizes: ["rows", "columns"],
    values: (out, x, scales) => [out, x, scales, rowsOf(x), columnsOf(x)],
  }),
  defineBinding("signRowsBackward", {
    buffers: [
      f32Matrix("dX"),
      optional(f32("dScales", "rows")),
      f32Matrix("dOut"),
      f32Matrix("x"),
      f32("scales", "rows"),
    ],
    sizes: ["rows", "columns", "byScale", "isRelative"],
    reals: ["bound", "base"],
    values: ({ dX, dScales }, dOut, x, scales, { peak, isRelative, bound, base }) => {
      const flags = [Number(peak === "scale"), Number(isRelative)] as const;
      return [dX, dScales, dOut, x, scales, rowsOf(x), columnsOf(x), ...flags, bound, base];
    },
  }),
  defineBinding("limitRows", {
    buffers: [f32Matrix("weight")],
    sizes: ["rows", "columns", "centres"],
    reals: ["bound"],
    values: (weight, centres, bound) => {
      return [weight, rowsOf(weight), columnsOf(weight), Number(centres), bound];
    },
  }),
  defineBinding("signDescent", {
    buffers: [f32("value", "count"), optional(f32("moments", "count")), f32("gradient", "count")],
    sizes: ["count"],
    reals: ["learningRate", "momentum", "low", "high"],
    values: (value, moments, gradient, { learningRate, momentum, low, high }) => {
      return [value, moments, gradient, countOf(value), learningRate, momentum, low, high];
    },
  }),
  defineBinding("adamw", {
    buffers: [
      f32("weight", "count"),
      viewOf("f32", "bf16")("m", "count"),
      viewOf("f32", "bf16")("v", "count"),
      f32("gradient", "count"),
    ],
    sizes: ["count", "step", "momentsDType"],
    reals: ["learningRate", "beta1", "beta2", "epsilon", "weightDecay", "gradientScale"],
    values: (weight, m, v, gradient, options) => {
      const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale } = options;
      const views = [weight, m, v, gradient] as const;
      const rates = [learningRate, beta1, beta2, epsilon, weightDecay] as const;
      return [...views, countOf(weight), step, dtypeCode(m), ...rates, gradientScale];
    },
  }),
];

/** Values of `ruleSizes` and `ruleReals`. */
function ruleValues({ rule, passOutside, ...reals }: StraightThrough) {
  const { low, high, resolution, shift, lowSlope, highSlope } = reals;
  const flags = [ruleCodes[rule], Number(passOutside)] as const;
  return [...flags, low, high, resolution, shift, lowSlope, highSlope] as const;
}

/** Views of `rangeBuffers`. */
function rangeViews({ low, high, lowFactors, highFactors }: FactoredRanges) {
  return [low, high, lowFactors, highFactors] as const;
}

function rangeValues({ kind, top, least }: RangeRule) {
  return [rangeCodes[kind], top, least] as const;
}
