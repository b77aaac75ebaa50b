import type { Factor } from "../../../backend/integer-kernels.ts";
import { codeProduct } from "../../../quant/integer-functions.ts";
import { defineBinding } from "../binding.ts";
import { columnsOf, i32, optional, rowsOf, u8, viewOf } from "../buffer-rule.ts";

const i8 = viewOf("i8");
const queries = ["batch", "length", "heads"] as const;
const cached = ["batch", "capacity", "kvHeads"] as const;

/** Ops of forward passes without floats. */
export const integerBindings = [
  defineBinding("integerNorm", {
    buffers: [i32("out", "rows", "columns"), i32("x", "rows", "columns"), null],
    sizes: ["rows", "columns"],
    reals: ["epsilon"],
    values: (out, x, { weights, epsilon }) => [out, x, weights, rowsOf(x), columnsOf(x), epsilon],
  }),
  defineBinding("integerGate", {
    buffers: [
      u8("codes", "rows", "columns"),
      optional(i32("factors", "rows", 2)),
      i32("gate", "rows", "columns"),
      i32("up", "rows", "columns"),
    ],
    sizes: ["rows", "columns", "isGelu", "bits", "zeroPoint"],
    reals: ["inputMultiplier", "inputShift", "multiplier", "shift"],
    values: (codes, factors, gate, up, { activation, input, fixed }) => {
      const { bits = 0, multiplier = 0, shift = 0, zeroPoint = 0 } = fixed ?? {};
      const views = [codes, factors, gate, up] as const;
      const sizes = [rowsOf(gate), columnsOf(gate), Number(activation === "gelu")] as const;
      return [...views, ...sizes, bits, zeroPoint, ...pairOf(input), multiplier, shift];
    },
  }),
  defineBinding("integerAttention", {
    buffers: [
      i32("out", ...queries, "headDim"),
      i8("queries", ...queries, "headDim"),
      i32("query factors", ...queries, 2),
      i8("keys", ...cached, "headDim"),
      i32("key factors", ...cached, 2),
      i8("values", ...cached, "headDim"),
      i32("value factors", ...cached, 2),
    ],
    sizes: [...queries, "headDim", "capacity", "kvHeads", "keyLength", "window"],
    reals: ["multiplier", "shift", "codeMultiplier", "codeShift"],
    values: (out, q, k, v, { score, keyLength, window = 0 }) => {
      const views = [q.codes, q.factors, k.codes, k.factors, v.codes, v.factors] as const;
      const [batch = 0, length = 0, heads = 0, headDim = 0] = q.codes.shape;
      const [, capacity = 0, kvHeads = 0] = k.codes.shape;
      const shape = [batch, length, heads, headDim, capacity, kvHeads] as const;
      // A window that covers all keys is none.
      const seen = [keyLength, Math.min(window, keyLength)] as const;
      const { multiplier, shift } = codeProduct;
      return [out, ...views, ...shape, ...seen, ...pairOf(score), multiplier, shift] as const;
    },
  }),
];

function pairOf({ multiplier, shift }: Factor): readonly [multiplier: number, shift: number] {
  return [multiplier, shift];
}
