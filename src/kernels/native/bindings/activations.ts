import { elementCount } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { storageOf } from "../checks.ts";

const widthOf = (elements: number, rows: number): number => (rows === 0 ? 0 : elements / rows);

/** `native/ops/activations.c` */
export const quantizeActivations: Binding<"quantizeActivations"> =
  (queue) => (codes, scales, x, fixed) => {
    const rows = elementCount(scales.shape);
    queue.run(
      "quantize_activations",
      [
        storageOf("quantizeActivations codes", codes, "u8"),
        storageOf("quantizeActivations scales", scales, "f32"),
        storageOf("quantizeActivations x", x, "f32"),
      ],
      [rows, widthOf(elementCount(x.shape), rows), fixed?.zeroPoint ?? 0],
      [fixed?.scale ?? 0],
    );
  };

/** `native/ops/activations.c` */
export const dequantizeActivations: Binding<"dequantizeActivations"> =
  (queue) => (out, codes, scales, zeroPoint) => {
    const rows = elementCount(scales.shape);
    queue.run(
      "dequantize_activations",
      [
        storageOf("dequantizeActivations out", out, "f32"),
        storageOf("dequantizeActivations codes", codes, "u8"),
        storageOf("dequantizeActivations scales", scales, "f32"),
      ],
      [rows, widthOf(elementCount(out.shape), rows), zeroPoint],
    );
  };

/** `native/ops/activations.c` */
export const rowRanges: Binding<"rowRanges"> = (queue) => (out, x) => {
  const rows = elementCount(out.shape) / 2;
  queue.run(
    "row_ranges",
    [storageOf("rowRanges out", out, "f32"), storageOf("rowRanges x", x, "f32")],
    [rows, widthOf(elementCount(x.shape), rows)],
  );
};
