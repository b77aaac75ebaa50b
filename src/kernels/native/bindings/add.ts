import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";
import { elementCount } from "../../../tensor/shape.ts";

/** `native/ops/add.c` */
export const add: Binding<"add"> = (queue) => (out, a, b) => {
  const count = elementCount(out.shape);
  const period = elementCount(b.shape);
  expectCount("add: elements of a", elementCount(a.shape), count);
  if (period !== count) expectCount("add: elements of b", period, out.shape.at(-1) ?? 1);
  if (count === 0) return;
  queue.run(
    "add",
    [storageOf("add out", out, "f32"), storageOf("add a", a, "f32"), storageOf("add b", b, "f32")],
    [count, period],
  );
};
