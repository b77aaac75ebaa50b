import { asMatrix, elementCount } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** `native/ops/softmax.c` */
export const softmax: Binding<"softmax"> = (queue) => (out, x) => {
  const { rows, columns } = asMatrix(x.shape);
  expectCount("softmax: elements of out", elementCount(out.shape), rows * columns);
  queue.run(
    "softmax",
    [storageOf("softmax out", out, "f32"), storageOf("softmax x", x, "f32")],
    [rows, columns],
  );
};

/** `native/ops/cross_entropy.c` */
export const crossEntropy: Binding<"crossEntropy"> = (queue) => (losses, logits, targets) => {
  const { rows, columns } = asMatrix(logits.shape);
  expectCount("crossEntropy: elements of losses", elementCount(losses.shape), rows);
  expectCount("crossEntropy: elements of targets", elementCount(targets.shape), rows);
  queue.run(
    "cross_entropy",
    [
      storageOf("crossEntropy losses", losses, "f32"),
      storageOf("crossEntropy logits", logits, "f32"),
      storageOf("crossEntropy targets", targets, "i32"),
    ],
    [rows, columns],
  );
};

/** `native/ops/kl_divergence.c` */
export const klDivergence: Binding<"klDivergence"> =
  (queue) => (divergence, agree, teacher, student) => {
    const { rows, columns } = asMatrix(teacher.shape);
    expectCount("klDivergence: elements of divergence", elementCount(divergence.shape), rows);
    expectCount("klDivergence: elements of agree", elementCount(agree.shape), rows);
    expectCount("klDivergence: elements of student", elementCount(student.shape), rows * columns);
    queue.run(
      "kl_divergence",
      [
        storageOf("klDivergence divergence", divergence, "f32"),
        storageOf("klDivergence agree", agree, "f32"),
        storageOf("klDivergence teacher", teacher, "f32"),
        storageOf("klDivergence student", student, "f32"),
      ],
      [rows, columns],
    );
  };

/** `native/ops/diagonal.c` */
export const diagonal: Binding<"diagonal"> = (queue) => (out, h) => {
  const n = elementCount(out.shape);
  expectCount("diagonal: elements of h", elementCount(h.shape), n * n);
  queue.run(
    "diagonal",
    [storageOf("diagonal out", out, "f64"), storageOf("diagonal h", h, "f64")],
    [n],
  );
};
