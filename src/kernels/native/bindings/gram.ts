import { asMatrix } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** `native/ops/gram.c` */
export const gram: Binding<"gram"> = (queue) => (out, x, precision) => {
  const { rows, columns } = asMatrix(x.shape);
  expectCount("gram: rows", out.shape[0] ?? 0, columns);
  expectCount("gram: columns", out.shape[1] ?? 0, columns);
  queue.run(
    "gram",
    [storageOf("gram", out, "f64"), storageOf("gram x", x, "f32")],
    [rows, columns, precision === "bf16" ? 1 : 0],
  );
};
