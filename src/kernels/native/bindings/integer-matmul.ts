import { elementCount, expectShape } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** `native/ops/integer_matmul.c` */
export const integerMatmul: Binding<"integerMatmul"> =
  (queue) => (out, codes, weight, offsets, output) => {
    const { outFeatures, inFeatures, values } = weight;
    const tokens = inFeatures === 0 ? 0 : elementCount(codes.shape) / inFeatures;
    expectCount("integerMatmul: elements of out", elementCount(out.shape), tokens * outFeatures);
    const scaled = output.kind === "scale" ? output : null;
    const requantized = output.kind === "requantize" ? output : null;
    if (scaled) expectShape("integerMatmul token scales", scaled.tokenScales.shape, [tokens]);
    queue.run(
      "integer_matmul",
      [
        storageOf("integerMatmul out", out, scaled ? "f32" : "u8"),
        storageOf("integerMatmul codes", codes, "u8"),
        values,
        offsets,
        requantized?.multipliers ?? null,
        requantized?.shifts ?? null,
        scaled?.rowScales ?? null,
        scaled && storageOf("integerMatmul token scales", scaled.tokenScales, "f32"),
      ],
      [tokens, outFeatures, inFeatures, requantized?.zeroPoint ?? 0],
    );
  };
