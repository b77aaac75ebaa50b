import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** `native/ops/inverse_cholesky.c` */
export const inverseCholesky: Binding<"inverseCholesky"> = (queue) => (u, h, diagonal, status) => {
  const n = diagonal.shape[0] ?? 0;
  for (const [what, matrix] of [
    ["u", u],
    ["h", h],
  ] as const) {
    expectCount(`inverseCholesky: rows of ${what}`, matrix.shape[0] ?? 0, n);
    expectCount(`inverseCholesky: columns of ${what}`, matrix.shape[1] ?? 0, n);
  }
  expectCount("inverseCholesky: elements of status", status.shape[0] ?? 0, 1);
  queue.run(
    "inverse_cholesky",
    [
      storageOf("inverseCholesky u", u, "f32"),
      storageOf("inverseCholesky h", h, "f64"),
      storageOf("inverseCholesky diagonal", diagonal, "f64"),
      storageOf("inverseCholesky status", status, "i32"),
    ],
    [n],
  );
};
