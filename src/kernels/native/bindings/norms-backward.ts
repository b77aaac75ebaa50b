import { asMatrix, elementCount } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** `native/ops/rms_norm_backward.c` */
export const rmsNormBackward: Binding<"rmsNormBackward"> =
  (queue) => (dX, dWeight, dOut, x, weight, eps) => {
    const { rows, columns } = asMatrix(x.shape);
    expectCount("rmsNormBackward: elements of dOut", elementCount(dOut.shape), rows * columns);
    expectCount("rmsNormBackward: elements of weight", elementCount(weight.shape), columns);
    queue.run(
      "rms_norm_backward",
      [
        dX && storageOf("rmsNormBackward dX", dX, "f32"),
        dWeight && storageOf("rmsNormBackward dWeight", dWeight, "f32"),
        storageOf("rmsNormBackward dOut", dOut, "f32"),
        storageOf("rmsNormBackward x", x, "f32"),
        storageOf("rmsNormBackward weight", weight, "f32"),
      ],
      [rows, columns],
      [eps],
    );
  };

/** `native/ops/layer_norm_backward.c` */
export const layerNormBackward: Binding<"layerNormBackward"> =
  (queue) => (dX, dWeight, dBias, dOut, x, weight, eps) => {
    const { rows, columns } = asMatrix(x.shape);
    expectCount("layerNormBackward: elements of dOut", elementCount(dOut.shape), rows * columns);
    queue.run(
      "layer_norm_backward",
      [
        dX && storageOf("layerNormBackward dX", dX, "f32"),
        dWeight && storageOf("layerNormBackward dWeight", dWeight, "f32"),
        dBias && storageOf("layerNormBackward dBias", dBias, "f32"),
        storageOf("layerNormBackward dOut", dOut, "f32"),
        storageOf("layerNormBackward x", x, "f32"),
        weight && storageOf("layerNormBackward weight", weight, "f32"),
      ],
      [rows, columns],
      [eps],
    );
  };
