import { elementCount, expectShape } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { dtypeCode, expectCount, storageOf } from "../checks.ts";

/** `native/ops/attention.c` */
export const attention: Binding<"attention"> = (queue) => (out, q, k, v, options) => {
  const [batch = 0, length = 0, heads = 0, headDim = 0] = q.shape;
  const [, capacity = 0, kvHeads = 0] = k.shape;
  const { scale, keyLength, window, keyScales, valueScales } = options;
  expectCount("attention: elements of out", elementCount(out.shape), elementCount(q.shape));
  expectCount("attention: head width of k", k.shape[3] ?? 0, headDim);
  expectCount("attention: elements of v", elementCount(v.shape), elementCount(k.shape));
  queue.run(
    "attention",
    [
      storageOf("attention out", out, "f32"),
      storageOf("attention q", q, "f32"),
      storageOf("attention k", k, "f32", "f16", "i8"),
      storageOf("attention v", v, k.dtype),
      keyScales ? storageOf("attention scales of k", keyScales, "f32") : null,
      valueScales ? storageOf("attention scales of v", valueScales, "f32") : null,
    ],
    // A window that covers all keys is none.
    [
      batch,
      length,
      heads,
      headDim,
      capacity,
      kvHeads,
      keyLength,
      Math.min(window ?? 0, keyLength),
      dtypeCode[k.dtype] ?? -1,
    ],
    [scale],
  );
};

/** `native/ops/attention_backward.c` */
export const attentionBackward: Binding<"attentionBackward"> =
  (queue) => (dQ, dK, dV, dOut, q, k, v, options) => {
    const [batch = 0, length = 0, heads = 0, headDim = 0] = q.shape;
    const [, , kvHeads = 0] = k.shape;
    for (const [name, view] of Object.entries({ dQ, dOut })) {
      expectShape(`attentionBackward ${name}`, view.shape, q.shape);
    }
    for (const [name, view] of Object.entries({ dK, dV, k, v })) {
      expectShape(`attentionBackward ${name}`, view.shape, [batch, length, kvHeads, headDim]);
    }
    queue.run(
      "attention_backward",
      [
        storageOf("attentionBackward dQ", dQ, "f32"),
        storageOf("attentionBackward dK", dK, "f32"),
        storageOf("attentionBackward dV", dV, "f32"),
        storageOf("attentionBackward dOut", dOut, "f32"),
        storageOf("attentionBackward q", q, "f32"),
        storageOf("attentionBackward k", k, "f32"),
        storageOf("attentionBackward v", v, "f32"),
      ],
      // A window that covers all keys is none.
      [batch, length, heads, kvHeads, headDim, Math.min(options.window ?? 0, length)],
      [options.scale],
    );
  };
