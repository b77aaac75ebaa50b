import { asMatrix, elementCount } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** `native/ops/softmax_backward.c` */
export const softmaxBackward: Binding<"softmaxBackward"> = (queue) => (dX, dOut, y) => {
  const { rows, columns } = asMatrix(y.shape);
  expectCount("softmaxBackward: elements of dX", elementCount(dX.shape), rows * columns);
  expectCount("softmaxBackward: elements of dOut", elementCount(dOut.shape), rows * columns);
  queue.run(
    "softmax_backward",
    [
      storageOf("softmaxBackward dX", dX, "f32"),
      storageOf("softmaxBackward dOut", dOut, "f32"),
      storageOf("softmaxBackward y", y, "f32"),
    ],
    [rows, columns],
  );
};

/** `native/ops/cross_entropy_backward.c` */
export const crossEntropyBackward: Binding<"crossEntropyBackward"> =
  (queue) => (dLogits, logits, targets, scale) => {
    const { rows, columns } = asMatrix(logits.shape);
    const count = elementCount(dLogits.shape);
    expectCount("crossEntropyBackward: elements of dLogits", count, rows * columns);
    expectCount("crossEntropyBackward: elements of targets", elementCount(targets.shape), rows);
    queue.run(
      "cross_entropy_backward",
      [
        storageOf("crossEntropyBackward dLogits", dLogits, "f32"),
        storageOf("crossEntropyBackward logits", logits, "f32"),
        storageOf("crossEntropyBackward targets", targets, "i32"),
      ],
      [rows, columns],
      [scale],
    );
  };

/** `native/ops/kl_divergence_backward.c` */
export const klDivergenceBackward: Binding<"klDivergenceBackward"> =
  (queue) => (dStudent, teacher, student, scale) => {
    const { rows, columns } = asMatrix(student.shape);
    const count = rows * columns;
    expectCount("klDivergenceBackward: elements of dStudent", elementCount(dStudent.shape), count);
    expectCount("klDivergenceBackward: elements of teacher", elementCount(teacher.shape), count);
    queue.run(
      "kl_divergence_backward",
      [
        storageOf("klDivergenceBackward dStudent", dStudent, "f32"),
        storageOf("klDivergenceBackward teacher", teacher, "f32"),
        storageOf("klDivergenceBackward student", student, "f32"),
      ],
      [rows, columns],
      [scale],
    );
  };

/** `native/ops/embedding_backward.c` */
export const embeddingBackward: Binding<"embeddingBackward"> = (queue) => (dTable, dOut, ids) => {
  const [vocabulary = 0, width = 0] = dTable.shape;
  const tokens = elementCount(ids.shape);
  expectCount("embeddingBackward: elements of dOut", elementCount(dOut.shape), tokens * width);
  queue.run(
    "embedding_backward",
    [
      storageOf("embeddingBackward dTable", dTable, "f32"),
      storageOf("embeddingBackward dOut", dOut, "f32"),
      storageOf("embeddingBackward ids", ids, "i32"),
    ],
    [tokens, width, vocabulary],
  );
};

/** `native/ops/column_sums.c` */
export const columnSums: Binding<"columnSums"> = (queue) => (out, x) => {
  const { rows, columns } = asMatrix(x.shape);
  expectCount("columnSums: elements of out", elementCount(out.shape), columns);
  queue.run(
    "column_sums",
    [storageOf("columnSums out", out, "f32"), storageOf("columnSums x", x, "f32")],
    [rows, columns],
  );
};

/** `native/ops/direction_error.c` */
export const directionError: Binding<"directionError"> =
  (queue) => (errors, dStudent, teacher, student, scale) => {
    const { rows, columns } = asMatrix(student.shape);
    const count = rows * columns;
    expectCount("directionError: elements of errors", elementCount(errors.shape), rows);
    expectCount("directionError: elements of teacher", elementCount(teacher.shape), count);
    queue.run(
      "direction_error",
      [
        storageOf("directionError errors", errors, "f32"),
        dStudent && storageOf("directionError dStudent", dStudent, "f32"),
        storageOf("directionError teacher", teacher, "f32"),
        storageOf("directionError student", student, "f32"),
      ],
      [rows, columns],
      [scale],
    );
  };
