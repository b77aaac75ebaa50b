import { elementCount } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { dtypeCode, expectCount, storageOf } from "../checks.ts";

/** `native/ops/swiglu.c` */
export const swiglu: Binding<"swiglu"> = (queue) => (out, gate, up) => {
  const count = elementCount(out.shape);
  expectCount("swiglu: elements of gate", elementCount(gate.shape), count);
  expectCount("swiglu: elements of up", elementCount(up.shape), count);
  queue.run(
    "swiglu",
    [
      storageOf("swiglu out", out, "f32"),
      storageOf("swiglu gate", gate, "f32"),
      storageOf("swiglu up", up, "f32"),
    ],
    [count],
  );
};

/** `native/ops/multiply.c` */
export const multiply: Binding<"multiply"> = (queue) => (out, a, b) => {
  const count = elementCount(out.shape);
  const period = elementCount(b.shape);
  expectCount("multiply: elements of a", elementCount(a.shape), count);
  if (period !== count) expectCount("multiply: elements of b", period, out.shape.at(-1) ?? 1);
  if (count === 0) return;
  queue.run(
    "multiply",
    [
      storageOf("multiply out", out, "f32"),
      storageOf("multiply a", a, "f32"),
      storageOf("multiply b", b, "f32"),
    ],
    [count, period],
  );
};

/** `native/ops/gelu.c` */
export const gelu: Binding<"gelu"> = (queue) => (out, x, approximation) => {
  const count = elementCount(out.shape);
  expectCount("gelu: elements of x", elementCount(x.shape), count);
  queue.run(
    "gelu",
    [storageOf("gelu out", out, "f32"), storageOf("gelu x", x, "f32")],
    [count, approximation === "tanh" ? 1 : 0],
  );
};

/** `native/ops/cast.c` */
export const cast: Binding<"cast"> = (queue) => (out, x) => {
  const count = elementCount(out.shape);
  expectCount("cast: elements of x", elementCount(x.shape), count);
  queue.run(
    "cast",
    [
      storageOf("cast out", out, "f32", "f16", "bf16", "f64"),
      storageOf("cast x", x, "f32", "f16", "bf16", "f64"),
    ],
    [count, dtypeCode[out.dtype] ?? -1, dtypeCode[x.dtype] ?? -1],
  );
};

/** `native/ops/round_scales.c` */
export const roundScales: Binding<"roundScales"> = (queue) => (out, scales, least) => {
  const count = elementCount(out.shape);
  expectCount("roundScales: elements of scales", elementCount(scales.shape), count);
  queue.run(
    "round_scales",
    [storageOf("roundScales out", out, "f32"), storageOf("roundScales scales", scales, "f32")],
    [count],
    [least],
  );
};
