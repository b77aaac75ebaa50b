import { elementCount } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** `native/ops/swiglu_backward.c` */
export const swigluBackward: Binding<"swigluBackward"> =
  (queue) => (dGate, dUp, dOut, gate, up) => {
    const count = elementCount(dOut.shape);
    for (const [name, view] of Object.entries({ dGate, dUp, gate, up })) {
      expectCount(`swigluBackward: elements of ${name}`, elementCount(view.shape), count);
    }
    queue.run(
      "swiglu_backward",
      [
        storageOf("swigluBackward dGate", dGate, "f32"),
        storageOf("swigluBackward dUp", dUp, "f32"),
        storageOf("swigluBackward dOut", dOut, "f32"),
        storageOf("swigluBackward gate", gate, "f32"),
        storageOf("swigluBackward up", up, "f32"),
      ],
      [count],
    );
  };

/** `native/ops/gelu_backward.c` */
export const geluBackward: Binding<"geluBackward"> = (queue) => (dX, dOut, x, approximation) => {
  const count = elementCount(x.shape);
  expectCount("geluBackward: elements of dX", elementCount(dX.shape), count);
  expectCount("geluBackward: elements of dOut", elementCount(dOut.shape), count);
  queue.run(
    "gelu_backward",
    [
      storageOf("geluBackward dX", dX, "f32"),
      storageOf("geluBackward dOut", dOut, "f32"),
      storageOf("geluBackward x", x, "f32"),
    ],
    [count, approximation === "tanh" ? 1 : 0],
  );
};
