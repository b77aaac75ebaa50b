import type { Storage } from "../../../backend/kernels.ts";
import { elementCount } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";
import type { LaidOutOperand } from "../lay-out.ts";

/** `native/ops/packed_matmul.c`; packings that it does not know go to the reference kernel. */
export const packedMatmul: Binding<"packedMatmul"> =
  (queue, fallback) => (out, x, prepared, products) => {
    if (!("bits" in prepared)) return fallback(out, x, prepared, products);
    const weight = prepared as LaidOutOperand;
    const { outFeatures, inFeatures, groupSize, bits, zeroKind, origin, step } = weight;
    const tokens = inFeatures === 0 ? 0 : elementCount(x.shape) / inFeatures;
    expectCount("packedMatmul: elements of out", elementCount(out.shape), tokens * outFeatures);
    const fast = products === "fast" ? 1 : 0;
    queue.run(
      "packed_matmul",
      [
        storageOf("packedMatmul out", out, "f32"),
        storageOf("packedMatmul x", x, "f32"),
        weight.codes,
        weight.scales,
        weight.zeros,
      ],
      [tokens, outFeatures, inFeatures, groupSize, bits, zeroKind, fast],
      [origin, step],
    );
  };

const mostWeights = 3;

/** `native/ops/normed_packed_matmul.c` */
export const normedPackedMatmul: Binding<"normedPackedMatmul"> =
  (queue, fallback) => (outs, x, norm, eps, operands) => {
    const [first] = operands;
    if (!first || !("bits" in first) || operands.length > mostWeights) {
      return fallback(outs, x, norm, eps, operands);
    }
    const weights = operands as readonly LaidOutOperand[];
    const { inFeatures, groupSize, bits, zeroKind, origin, step } = weights[0];
    const tokens = inFeatures === 0 ? 0 : elementCount(x.shape) / inFeatures;
    const buffers: (Storage | null)[] = [];
    const rows: number[] = [];
    const stored: (Storage | null)[] = [];
    for (let i = 0; i < mostWeights; i++) {
      const [out, weight] = [outs[i], weights[i]];
      buffers.push(out ? storageOf("normedPackedMatmul out", out, "f32") : null);
      rows.push(weight?.outFeatures ?? 0);
      stored.push(weight?.codes ?? null, weight?.scales ?? null, weight?.zeros ?? null);
    }
    buffers.push(storageOf("normedPackedMatmul x", x, "f32"));
    buffers.push(storageOf("normedPackedMatmul norm", norm, "f32"));
    queue.run(
      "normed_packed_matmul",
      [...buffers, ...stored],
      [tokens, inFeatures, groupSize, bits, zeroKind, ...rows],
      [eps, origin, step],
    );
  };
