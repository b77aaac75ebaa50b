import type { TensorView } from "../../../backend/kernels.ts";
import { bytesPerElement } from "../../../tensor/dtype.ts";
import { storedLength } from "../../../tensor/four-bit-rows.ts";
import { elementCount } from "../../../tensor/shape.ts";
import { defineBinding } from "../binding.ts";
import { dtypeCode, exact, expectDType, f32, i32, optional, viewOf } from "../buffer-rule.ts";

const queries = ["batch", "length", "heads", "headDim"] as const;
const keys = ["batch", "length", "kvHeads", "headDim"] as const;
const cachedHeads = ["batch", "capacity", "kvHeads"] as const;
const halves = ["batch", "length", "heads", 2, "half"] as const;
const keyTypes = viewOf("f32", "f16", "i8", "u8");
const anyType = viewOf();

/** Attention, positions and the KV cache. */
export const attentionBindings = [
  defineBinding("attention", {
    buffers: [
      f32("out", ...queries),
      f32("q", ...queries),
      exact(keyTypes("k", ...cachedHeads, "stored")),
      exact(keyTypes("v", ...cachedHeads, "stored")),
      optional(f32("keyScales", ...cachedHeads)),
      optional(f32("valueScales", ...cachedHeads)),
    ],
    check: (_out, _q, k, v) => expectDType("attention v", v.dtype, [k.dtype]),
    sizes: [...queries, "capacity", "kvHeads", "keyLength", "window", "dtype"],
    reals: ["scale", "softCap"],
    lengths: ["stored"],
    values: (out, q, k, v, options) => {
      const { keyScales, valueScales, keyLength, window = 0, scale, softCap = 0 } = options;
      const [batch = 0, length = 0, heads = 0, headDim = 0] = q.shape;
      const [, capacity = 0, kvHeads = 0] = k.shape;
      return [
        out,
        q,
        k,
        v,
        keyScales,
        valueScales,
        batch,
        length,
        heads,
        headDim,
        capacity,
        kvHeads,
        keyLength,
        // One that covers all keys is none.
        Math.min(window, keyLength),
        dtypeCode(k),
        scale,
        softCap,
        storedLength(k.dtype, headDim),
      ];
    },
  }),
  defineBinding("pagedAttention", {
    buffers: [
      exact(f32("out", "rows", "heads", "headDim")),
      exact(f32("q", "rows", "heads", "headDim")),
      exact(keyTypes("k", "slots", "kvHeads", "stored")),
      exact(keyTypes("v", "slots", "kvHeads", "stored")),
      optional(f32("keyScales", "slots", "kvHeads")),
      optional(f32("valueScales", "slots", "kvHeads")),
      exact(i32("spans", "texts", 2)),
      exact(i32("tables", "texts", "tableWidth")),
    ],
    check: (_out, _q, k, v) => expectDType("attention v", v.dtype, [k.dtype]),
    sizes: [
      ...(["rows", "heads", "headDim", "slots", "kvHeads"] as const),
      ...(["texts", "tableWidth", "blockSize", "window", "dtype"] as const),
    ],
    reals: ["scale", "softCap"],
    lengths: ["stored"],
    values: (out, q, k, v, options) => {
      const { keyScales, valueScales, spans, tables, blockSize, scale, softCap = 0 } = options;
      const [rows = 0, heads = 0, headDim = 0] = q.shape;
      const [slots = 0, kvHeads = 0] = k.shape;
      const [texts = 0, width = 0] = tables.shape;
      // A window that covers all keys is none.
      const window = Math.min(options.window ?? 0, slots);
      const stored = storedLength(k.dtype, headDim);
      const views = [out, q, k, v, keyScales, valueScales, spans, tables] as const;
      const sizes = [rows, heads, headDim, slots, kvHeads] as const;
      return [
        ...views,
        ...sizes,
        texts,
        width,
        blockSize,
        window,
        dtypeCode(k),
        scale,
        softCap,
        stored,
      ];
    },
  }),
  defineBinding("attentionBackward", {
    buffers: [
      exact(f32("dQ", ...queries)),
      exact(f32("dK", ...keys)),
      exact(f32("dV", ...keys)),
      exact(f32("dOut", ...queries)),
      exact(f32("q", ...queries)),
      exact(f32("k", ...keys)),
      exact(f32("v", ...keys)),
    ],
    sizes: ["batch", "length", "heads", "kvHeads", "headDim", "window"],
    reals: ["scale", "softCap"],
    values: (dQ, dK, dV, dOut, q, k, v, { window = 0, scale, softCap = 0 }) => {
      const [batch = 0, length = 0, heads = 0, headDim = 0] = q.shape;
      const kvHeads = k.shape[2] ?? 0;
      const views = [dQ, dK, dV, dOut, q, k, v] as const;
      const seen = Math.min(window, length);
      return [...views, batch, length, heads, kvHeads, headDim, seen, scale, softCap];
    },
  }),
  ...(["rope", "ropeBackward"] as const).map((kernel) =>
    defineBinding(kernel, {
      buffers: [
        f32("the result", ...halves),
        f32("x", ...halves),
        exact(f32("cos", "positions", "half")),
        exact(f32("sin", "positions", "half")),
      ],
      sizes: ["batch", "length", "heads", "half", "start"],
      lengths: ["positions"],
      values: (out, x, cos, sin, start) => {
        const [batch = 0, length = 0, heads = 0, headDim = 0] = x.shape;
        const [positions = 0] = cos.shape;
        return [out, x, cos, sin, batch, length, heads, headDim / 2, start, positions];
      },
    }),
  ),
  defineBinding("writeRows", {
    buffers: [
      anyType("cache", "batch", "capacity", "width"),
      anyType("rows", "batch", "length", "width"),
      optional(i32("slots", "length")),
    ],
    check: (cache, rows) => {
      const isRounded = cache.dtype === "f16" && rows.dtype === "f32";
      if (!isRounded) expectDType("writeRows rows", rows.dtype, [cache.dtype]);
    },
    sizes: ["batch", "capacity", "length", "width", "position", "from", "to"],
    values: (cache, rows, position) => {
      const [batch = 0, capacity = 0, ...rest] = cache.shape;
      const [, length = 0] = rows.shape;
      const [from, to] = [bytesPerElement(rows.dtype), bytesPerElement(cache.dtype)];
      const places = placesOf(position);
      return [
        cache,
        rows,
        places.slots,
        batch,
        capacity,
        length,
        elementCount(rest),
        places.first,
        from,
        to,
      ];
    },
  }),
  defineBinding("quantizeRows", {
    buffers: [
      exact(viewOf("i8", "u8")("cache", "batch", "capacity", "heads", "stored")),
      f32("scales", "batch", "capacity", "heads"),
      f32("rows", ...queries),
      optional(i32("slots", "length")),
    ],
    sizes: ["batch", "capacity", "length", "heads", "headDim", "position", "dtype"],
    lengths: ["stored"],
    values: (cache, scales, rows, position) => {
      const [batch = 0, capacity = 0] = cache.shape;
      const [, length = 0, heads = 0, headDim = 0] = rows.shape;
      const stored = storedLength(cache.dtype, headDim);
      const dtype = dtypeCode(cache);
      const { slots, first } = placesOf(position);
      const views = [cache, scales, rows, slots] as const;
      return [...views, batch, capacity, length, heads, headDim, first, dtype, stored];
    },
  }),
];

/** Where rows are written to: one behind the other, or each to a slot of its own. */
function placesOf(position: number | TensorView): {
  readonly slots: TensorView | null;
  readonly first: number;
} {
  return typeof position === "number"
    ? { slots: null, first: position }
    : { slots: position, first: 0 };
}
