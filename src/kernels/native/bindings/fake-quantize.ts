import type { TensorView } from "../../../backend/kernels.ts";
import type { StraightThrough } from "../../../backend/training-kernels.ts";
import { asMatrix, expectShape } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { dtypeCode, storageOf } from "../checks.ts";

/** Rules, by the numbers of `native/ops/straight_through.h`. */
const ruleCode: Readonly<Record<StraightThrough["rule"], number>> = {
  round: 0,
  "zero-point": 1,
  sign: 2,
};

/** `native/ops/fake_quantize.c` */
export const fakeQuantize: Binding<"fakeQuantize"> =
  (queue) => (out, weight, scales, zeros, groupSize, how) => {
    const [rows = 0, columns = 0] = weight.shape;
    expectShape("fakeQuantize out", out.shape, weight.shape);
    expectGroups("fakeQuantize", [rows, Math.ceil(columns / groupSize)], { scales, zeros });
    queue.run(
      "fake_quantize",
      [
        storageOf("fakeQuantize out", out, "f32", "bf16"),
        storageOf("fakeQuantize weight", weight, "f32"),
        scales && storageOf("fakeQuantize scales", scales, "f32"),
        zeros && storageOf("fakeQuantize zeros", zeros, "f32"),
      ],
      [rows, columns, groupSize, dtypeCode[out.dtype] ?? -1, ...flagsOf(how)],
      numbersOf(how),
    );
  };

/** `native/ops/fake_quantize_backward.c` */
export const fakeQuantizeBackward: Binding<"fakeQuantizeBackward"> =
  (queue) => (dWeight, dScales, dZeros, dOut, weight, scales, zeros, groupSize, how) => {
    const [rows = 0, columns = 0] = weight.shape;
    expectShape("fakeQuantizeBackward dOut", dOut.shape, weight.shape);
    if (dWeight) expectShape("fakeQuantizeBackward dWeight", dWeight.shape, weight.shape);
    const shape = [rows, Math.ceil(columns / groupSize)];
    expectGroups("fakeQuantizeBackward", shape, { dScales, dZeros, scales, zeros });
    queue.run(
      "fake_quantize_backward",
      [
        dWeight && storageOf("fakeQuantizeBackward dWeight", dWeight, "f32"),
        dScales && storageOf("fakeQuantizeBackward dScales", dScales, "f32"),
        dZeros && storageOf("fakeQuantizeBackward dZeros", dZeros, "f32"),
        storageOf("fakeQuantizeBackward dOut", dOut, "f32"),
        storageOf("fakeQuantizeBackward weight", weight, "f32"),
        scales && storageOf("fakeQuantizeBackward scales", scales, "f32"),
        zeros && storageOf("fakeQuantizeBackward zeros", zeros, "f32"),
      ],
      [rows, columns, groupSize, ...flagsOf(how)],
      numbersOf(how),
    );
  };

/** `native/ops/fake_quantize_rows.c` */
export const fakeQuantizeRows: Binding<"fakeQuantizeRows"> = (queue) => (out, x, levels) => {
  const { rows, columns } = asMatrix(x.shape);
  expectShape("fakeQuantizeRows out", out.shape, x.shape);
  queue.run(
    "fake_quantize_rows",
    [storageOf("fakeQuantizeRows out", out, "f32"), storageOf("fakeQuantizeRows x", x, "f32")],
    [rows, columns],
    [levels],
  );
};

function expectGroups(
  op: string,
  shape: readonly number[],
  views: Readonly<Record<string, TensorView | null>>,
): void {
  for (const [name, view] of Object.entries(views)) {
    if (view) expectShape(`${op} ${name}`, view.shape, shape);
  }
}

function flagsOf({ rule, passOutside }: StraightThrough): number[] {
  return [ruleCode[rule], passOutside ? 1 : 0];
}

function numbersOf(how: StraightThrough): number[] {
  const { low, high, resolution, shift, lowSlope, highSlope } = how;
  return [low, high, resolution, shift, lowSlope, highSlope];
}
