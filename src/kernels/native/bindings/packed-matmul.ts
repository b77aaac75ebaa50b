import { elementCount } from "../../../tensor/shape.ts";
import type { PackedOperand } from "../../../backend/packed-operand.ts";
import { decodeZeroPoints, type HeldOperand, holdOperand } from "../../reference/packed-matmul.ts";
import { halvesToFloats } from "../../../util/half.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** The numbers that C knows packings by (`native/ops/decode.h`). */
const packingCodes: Readonly<Record<string, number>> = {
  bits1: 1,
  bits2: 2,
  bits3: 3,
  bits4: 4,
  trits5: 5,
  bits8: 8,
};

interface ExpandedOperand extends HeldOperand {
  readonly steps: Float32Array;
  readonly offsets: Float32Array | null;
}

/** Widens scales and zero points to what the kernel reads: value = step · code + offset. */
export function expandOperand(operand: PackedOperand): ExpandedOperand {
  const scales = halvesToFloats(operand.scales);
  if (operand.table) return { ...holdOperand(operand), steps: scales, offsets: null };
  const zeros = decodeZeroPoints(operand, scales.length);
  const steps = scales.map((scale) => scale * operand.step);
  const offsets = scales.map(
    (scale, i) => scale * (operand.origin - operand.step * (zeros ? zeros[i] : 0)),
  );
  return { ...holdOperand(operand), steps, offsets };
}

/** `native/ops/packed_matmul.c`; packings that it does not know go to the reference kernel. */
export const packedMatmul: Binding<"packedMatmul"> =
  (queue, fallback) => (out, x, prepared, products) => {
    const { operand, steps, offsets } = prepared as ExpandedOperand;
    const { outFeatures, inFeatures, groupSize, layout, codes, rowBytes } = operand;
    const packing = packingCodes[layout.packing];
    if (packing === undefined || products === "fast") return fallback(out, x, prepared, products);
    const tokens = inFeatures === 0 ? 0 : elementCount(x.shape) / inFeatures;
    expectCount("packedMatmul: elements of out", elementCount(out.shape), tokens * outFeatures);
    queue.run(
      "packed_matmul",
      [
        storageOf("packedMatmul out", out, "f32"),
        storageOf("packedMatmul x", x, "f32"),
        codes,
        steps,
        offsets,
        operand.table,
      ],
      [tokens, outFeatures, inFeatures, groupSize, rowBytes, packing, layout.levels],
    );
  };
