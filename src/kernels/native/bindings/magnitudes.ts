import { asMatrix } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** `native/ops/magnitudes.c` */
export const magnitudes: Binding<"magnitudes"> = (queue) => (sums, peaks, x) => {
  const { rows, columns } = asMatrix(x.shape);
  expectCount("magnitudes: sums", sums.shape[0] ?? 0, columns);
  expectCount("magnitudes: peaks", peaks.shape[0] ?? 0, columns);
  if (columns === 0) return;
  queue.run(
    "magnitudes",
    [
      storageOf("magnitudes sums", sums, "f64"),
      storageOf("magnitudes peaks", peaks, "f32"),
      storageOf("magnitudes x", x, "f32"),
    ],
    [rows, columns],
  );
};
