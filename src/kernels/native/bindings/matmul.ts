import { elementCount } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { dtypeCode, expectCount, storageOf } from "../checks.ts";

/** `native/ops/matmul.c` */
export const matmul: Binding<"matmul"> = (queue) => (out, a, b, options) => {
  const { transposeA = false, transposeB = false, alpha = 1, beta = 0 } = options;
  const [m = 0, n = 0] = out.shape;
  const k = (transposeA ? a.shape[0] : a.shape[1]) ?? 0;
  expectCount("matmul: elements of a", elementCount(a.shape), m * k);
  expectCount("matmul: elements of b", elementCount(b.shape), k * n);
  queue.run(
    "matmul",
    [
      storageOf("matmul out", out, "f32"),
      storageOf("matmul a", a, "f32", "bf16"),
      storageOf("matmul b", b, "f32", "f16", "bf16"),
    ],
    [
      m,
      n,
      k,
      dtypeCode[a.dtype] ?? -1,
      dtypeCode[b.dtype] ?? -1,
      transposeA ? 1 : 0,
      transposeB ? 1 : 0,
      beta,
    ],
    [alpha],
  );
};
