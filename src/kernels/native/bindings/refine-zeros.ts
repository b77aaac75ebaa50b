import { expectShape } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { storageOf } from "../checks.ts";

/** `native/ops/refine_zeros.c` */
export const refineZeros: Binding<"refineZeros"> = (queue) => (zeros, errors, weight, options) => {
  const { scales, groupSize, levels, norm, beta } = options;
  const [rows = 0, columns = 0] = weight.shape;
  const shape = [rows, Math.ceil(columns / groupSize)];
  expectShape("refineZeros zeros", zeros.shape, shape);
  expectShape("refineZeros errors", errors.shape, shape);
  expectShape("refineZeros scales", scales.shape, shape);
  queue.run(
    "refine_zeros",
    [
      storageOf("refineZeros zeros", zeros, "f32"),
      storageOf("refineZeros errors", errors, "f32"),
      storageOf("refineZeros weight", weight, "f32"),
      storageOf("refineZeros scales", scales, "f32"),
    ],
    [rows, columns, groupSize, levels],
    [norm, beta],
  );
};
