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
        weight.table,
      ],
      [tokens, outFeatures, inFeatures, groupSize, bits, zeroKind, fast],
      [origin, step],
    );
  };
