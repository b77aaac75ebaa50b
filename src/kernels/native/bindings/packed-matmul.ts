import { elementCount } from "../../../tensor/shape.ts";
import type { HeldOperand } from "../../reference/packed-matmul.ts";
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

/** `native/ops/packed_matmul.c`; packings that it does not know go to the reference kernel. */
export const packedMatmul: Binding<"packedMatmul"> = (queue, fallback) => (out, x, prepared) => {
  const { operand } = prepared as HeldOperand;
  const { outFeatures, inFeatures, groupSize, layout, codes, rowBytes, scales } = operand;
  const packing = packingCodes[layout.packing];
  if (packing === undefined) return fallback(out, x, prepared);
  const tokens = inFeatures === 0 ? 0 : elementCount(x.shape) / inFeatures;
  expectCount("packedMatmul: elements of out", elementCount(out.shape), tokens * outFeatures);
  queue.run(
    "packed_matmul",
    [
      storageOf("packedMatmul out", out, "f32"),
      storageOf("packedMatmul x", x, "f32"),
      codes,
      scales,
      operand.table ? null : (operand.offsets ?? null),
      operand.table ?? null,
    ],
    [tokens, outFeatures, inFeatures, groupSize, rowBytes, packing, layout.levels],
  );
};
