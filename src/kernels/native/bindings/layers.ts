import type { TensorView } from "../../../backend/kernels.ts";
import { defineBinding } from "../binding.ts";
import {
  columnsOf,
  countOf,
  dtypeCode,
  exact,
  f32,
  f32Matrix,
  i32,
  optional,
  rowsOf,
  viewOf,
} from "../buffer-rule.ts";

const anyFloat = viewOf("f32", "f16", "bf16", "f64");

/** Ops of layers, and their gradients. */
export const layerBindings = [
  defineBinding("matmul", {
    buffers: [
      f32("out", "m", "n"),
      viewOf("f32", "bf16")("a", "m", "k"),
      viewOf("f32", "f16", "bf16")("b", "k", "n"),
    ],
    sizes: ["m", "n", "k", "dtypeA", "dtypeB", "transposeA", "transposeB", "beta", "isRowwise"],
    reals: ["alpha"],
    values: (out, a, b, options) => {
      const {
        transposeA = false,
        transposeB = false,
        alpha = 1,
        beta = 0,
        rowwise = false,
      } = options;
      const [m = 0, n = 0] = out.shape;
      const k = (transposeA ? a.shape[0] : a.shape[1]) ?? 0;
      const sizes = [m, n, k, dtypeCode(a), dtypeCode(b)] as const;
      const ways = [Number(transposeA), Number(transposeB), beta, Number(rowwise)] as const;
      return [out, a, b, ...sizes, ...ways, alpha];
    },
  }),
  defineBinding("add", {
    buffers: [f32("out", "count"), f32("a", "count"), f32("b", "period")],
    sizes: ["count", "period"],
    values: (out, a, b) => [out, a, b, countOf(out), periodOf(out, b)],
  }),
  defineBinding("addSparseProducts", {
    buffers: [
      f32("out", "tokens", "outFeatures"),
      f32("x", "tokens", "inFeatures"),
      exact(i32("starts", "ends")),
      i32("columns", "weights"),
      f32("values", "weights"),
    ],
    sizes: ["tokens", "outFeatures", "inFeatures", "weights"],
    lengths: ["ends"],
    values: (out, x, { starts, columns, values }) => {
      const views = [out, x, starts, columns, values] as const;
      const outFeatures = columnsOf(out);
      return [...views, rowsOf(x), outFeatures, columnsOf(x), countOf(values), outFeatures + 1];
    },
  }),
  defineBinding("multiply", {
    buffers: [f32("out", "count"), f32("a", "count"), f32("b", "period")],
    sizes: ["count", "period"],
    values: (out, a, b) => [out, a, b, countOf(out), periodOf(out, b)],
  }),
  defineBinding("cast", {
    buffers: [anyFloat("out", "count"), anyFloat("x", "count")],
    sizes: ["count", "to", "from"],
    values: (out, x) => [out, x, countOf(out), dtypeCode(out), dtypeCode(x)],
  }),
  defineBinding("swiglu", {
    buffers: [f32("out", "count"), f32("gate", "count"), f32("up", "count")],
    sizes: ["count"],
    values: (out, gate, up) => [out, gate, up, countOf(out)],
  }),
  defineBinding("swigluBackward", {
    buffers: [
      f32("dGate", "count"),
      f32("dUp", "count"),
      f32("dOut", "count"),
      f32("gate", "count"),
      f32("up", "count"),
    ],
    sizes: ["count"],
    values: (dGate, dUp, dOut, gate, up) => [dGate, dUp, dOut, gate, up, countOf(dOut)],
  }),
  defineBinding("gelu", {
    buffers: [f32("out", "count"), f32("x", "count")],
    sizes: ["count", "isTanh"],
    values: (out, x, kind) => [out, x, countOf(out), Number(kind === "tanh")],
  }),
  defineBinding("geluBackward", {
    buffers: [f32("dX", "count"), f32("dOut", "count"), f32("x", "count")],
    sizes: ["count", "isTanh"],
    values: (dX, dOut, x, kind) => [dX, dOut, x, countOf(x), Number(kind === "tanh")],
  }),
  defineBinding("relu", {
    buffers: [f32("out", "count"), f32("x", "count")],
    sizes: ["count"],
    values: (out, x) => [out, x, countOf(out)],
  }),
  defineBinding("reluBackward", {
    buffers: [f32("dX", "count"), f32("dOut", "count"), f32("x", "count")],
    sizes: ["count"],
    values: (dX, dOut, x) => [dX, dOut, x, countOf(x)],
  }),
  defineBinding("softCap", {
    buffers: [f32("out", "count"), f32("x", "count")],
    sizes: ["count"],
    reals: ["cap"],
    values: (out, x, cap) => [out, x, countOf(out), cap],
  }),
  defineBinding("softCapBackward", {
    buffers: [f32("dX", "count"), f32("dOut", "count"), f32("y", "count")],
    sizes: ["count"],
    reals: ["cap"],
    values: (dX, dOut, y, cap) => [dX, dOut, y, countOf(y), cap],
  }),
  defineBinding("takeColumns", {
    buffers: [f32("out", "rows", "taken"), f32Matrix("x"), i32("columns", "taken")],
    sizes: ["rows", "taken", "columns"],
    values: (out, x, taken) => [out, x, taken, rowsOf(x), countOf(taken), columnsOf(x)],
  }),
  defineBinding("takeColumnsBackward", {
    buffers: [f32Matrix("dX"), f32("dOut", "rows", "taken"), i32("columns", "taken")],
    sizes: ["rows", "taken", "columns"],
    values: (dX, dOut, taken) => [dX, dOut, taken, rowsOf(dX), countOf(taken), columnsOf(dX)],
  }),
  defineBinding("softmax", {
    buffers: [f32Matrix("out"), f32Matrix("x")],
    sizes: ["rows", "columns"],
    values: (out, x) => [out, x, rowsOf(x), columnsOf(x)],
  }),
  defineBinding("softmaxBackward", {
    buffers: [f32Matrix("dX"), f32Matrix("dOut"), f32Matrix("y")],
    sizes: ["rows", "columns"],
    values: (dX, dOut, y) => [dX, dOut, y, rowsOf(y), columnsOf(y)],
  }),
  defineBinding("rmsNorm", {
    buffers: [f32Matrix("out"), f32Matrix("x"), f32("weight", "columns")],
    sizes: ["rows", "columns"],
    reals: ["eps"],
    values: (out, x, weight, eps) => [out, x, weight, rowsOf(x), columnsOf(x), eps],
  }),
  defineBinding("rmsNormBackward", {
    buffers: [
      optional(f32Matrix("dX")),
      optional(f32("dWeight", "columns")),
      f32Matrix("dOut"),
      f32Matrix("x"),
      f32("weight", "columns"),
    ],
    sizes: ["rows", "columns"],
    reals: ["eps"],
    values: (dX, dWeight, dOut, x, weight, eps) => {
      return [dX, dWeight, dOut, x, weight, rowsOf(x), columnsOf(x), eps];
    },
  }),
  defineBinding("layerNorm", {
    buffers: [
      f32Matrix("out"),
      f32Matrix("x"),
      optional(f32("weight", "columns")),
      optional(f32("bias", "columns")),
    ],
    sizes: ["rows", "columns"],
    reals: ["eps"],
    values: (out, x, weight, bias, eps) => [out, x, weight, bias, rowsOf(x), columnsOf(x), eps],
  }),
  defineBinding("layerNormBackward", {
    buffers: [
      optional(f32Matrix("dX")),
      optional(f32("dWeight", "columns")),
      optional(f32("dBias", "columns")),
      f32Matrix("dOut"),
      f32Matrix("x"),
      optional(f32("weight", "columns")),
    ],
    sizes: ["rows", "columns"],
    reals: ["eps"],
    values: (dX, dWeight, dBias, dOut, x, weight, eps) => {
      return [dX, dWeight, dBias, dOut, x, weight, rowsOf(x), columnsOf(x), eps];
    },
  }),
  defineBinding("embedding", {
    buffers: [
      f32("out", "tokens", "width"),
      viewOf("f32", "f16", "bf16")("table", "vocabulary", "width"),
      i32("ids", "tokens"),
    ],
    sizes: ["tokens", "width", "vocabulary", "dtype"],
    values: (out, table, ids) => {
      const [vocabulary = 0, width = 0] = table.shape;
      return [out, table, ids, countOf(ids), width, vocabulary, dtypeCode(table)];
    },
  }),
  defineBinding("embeddingBackward", {
    buffers: [
      f32("dTable", "vocabulary", "width"),
      f32("dOut", "tokens", "width"),
      i32("ids", "tokens"),
    ],
    sizes: ["tokens", "width", "vocabulary", "adds"],
    values: (dTable, dOut, ids, adds) => {
      const [vocabulary = 0, width = 0] = dTable.shape;
      return [dTable, dOut, ids, countOf(ids), width, vocabulary, Number(adds)];
    },
  }),
];

/** `b` has the elements of `out`, or those of its last axis. */
function periodOf(out: TensorView, b: TensorView): number {
  const count = countOf(out);
  return countOf(b) === count ? count : columnsOf(out);
}
