import { asMatrix, elementCount } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { expectCount, storageOf } from "../checks.ts";

/** `native/ops/rms_norm.c` */
export const rmsNorm: Binding<"rmsNorm"> = (queue) => (out, x, weight, eps) => {
  const { rows, columns } = asMatrix(x.shape);
  expectCount("rmsNorm: elements of out", elementCount(out.shape), rows * columns);
  expectCount("rmsNorm: elements of weight", elementCount(weight.shape), columns);
  queue.run(
    "rms_norm",
    [
      storageOf("rmsNorm out", out, "f32"),
      storageOf("rmsNorm x", x, "f32"),
      storageOf("rmsNorm weight", weight, "f32"),
    ],
    [rows, columns],
    [eps],
  );
};

/** `native/ops/layer_norm.c` */
export const layerNorm: Binding<"layerNorm"> = (queue) => (out, x, weight, bias, eps) => {
  const { rows, columns } = asMatrix(x.shape);
  expectCount("layerNorm: elements of out", elementCount(out.shape), rows * columns);
  if (weight) expectCount("layerNorm: elements of weight", elementCount(weight.shape), columns);
  if (bias) expectCount("layerNorm: elements of bias", elementCount(bias.shape), columns);
  queue.run(
    "layer_norm",
    [
      storageOf("layerNorm out", out, "f32"),
      storageOf("layerNorm x", x, "f32"),
      weight && storageOf("layerNorm weight", weight, "f32"),
      bias && storageOf("layerNorm bias", bias, "f32"),
    ],
    [rows, columns],
    [eps],
  );
};
