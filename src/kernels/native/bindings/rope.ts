import { elementCount } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** `native/ops/rope.c` */
export const rope: Binding<"rope"> = (queue) => (out, x, cos, sin, start) => {
  const [batch = 0, length = 0, heads = 0, headDim = 0] = x.shape;
  expectCount("rope: elements of out", elementCount(out.shape), elementCount(x.shape));
  expectCount("rope: columns of cos", cos.shape[1] ?? 0, headDim / 2);
  expectCount("rope: columns of sin", sin.shape[1] ?? 0, headDim / 2);
  queue.run(
    "rope",
    [
      storageOf("rope out", out, "f32"),
      storageOf("rope x", x, "f32"),
      storageOf("rope cos", cos, "f32"),
      storageOf("rope sin", sin, "f32"),
    ],
    [batch, length, heads, headDim / 2, start],
  );
};

/** `native/ops/rope_backward.c` */
export const ropeBackward: Binding<"ropeBackward"> = (queue) => (dX, dOut, cos, sin, start) => {
  const [batch = 0, length = 0, heads = 0, headDim = 0] = dOut.shape;
  expectCount("ropeBackward: elements of dX", elementCount(dX.shape), elementCount(dOut.shape));
  expectCount("ropeBackward: columns of cos", cos.shape[1] ?? 0, headDim / 2);
  expectCount("ropeBackward: columns of sin", sin.shape[1] ?? 0, headDim / 2);
  queue.run(
    "rope_backward",
    [
      storageOf("ropeBackward dX", dX, "f32"),
      storageOf("ropeBackward dOut", dOut, "f32"),
      storageOf("ropeBackward cos", cos, "f32"),
      storageOf("ropeBackward sin", sin, "f32"),
    ],
    [batch, length, heads, headDim / 2, start],
  );
};
