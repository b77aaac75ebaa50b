import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../test/golden/golden-matrix.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { chooseBlocks } from "../methods/shared/block-search.ts";
import { roundToNearest } from "../methods/shared/quantize-columns.ts";
import { Tensor } from "../tensor/tensor.ts";
import { FakeQuantized } from "./fake-quantized.ts";
import { FakeQuantizedBlocks } from "./fake-quantized-blocks.ts";
import type { LatentWeight } from "./latent-weight.ts";
import { moveIntoBins } from "./move-into-bins.ts";
import type { QTensor } from "./q-tensor.ts";
import { parseScheme, type Scheme } from "./scheme.ts";

const [rows, columns] = [3, 512];
const backend = createReferenceBackend();
const weights = goldenMatrix(rows, columns, 3, 0.05);
/** Others that a quantizer would have rounded, as one does that makes up for errors. */
const others = goldenMatrix(rows, columns, 5, 0.02).map((value, i) => value + weights[i]);

const upload = (values: Float32Array): Tensor<"f32"> =>
  Tensor.from(backend, "f32", [rows, columns], values);

function startFor(scheme: Scheme): Promise<QTensor> {
  const weight = upload(others.slice());
  return scheme.blocks ? chooseBlocks(weight, scheme, null) : roundToNearest(weight, scheme, null);
}

function begin(moved: Float32Array, start: QTensor): LatentWeight {
  const { scheme } = start;
  return scheme.blocks
    ? FakeQuantizedBlocks.of(upload(moved), scheme, start.unpackBlockScales())
    : FakeQuantized.startedBy(upload(moved), start);
}

describe.each(["w1-elastic", "w2g32", "w2-seq", "w3g64-sym", "w4", "q2_k", "q3_k", "q4_0", "q6_k"])(
  "%s",
  (id) => {
    test.each([0.01, 0.3, 0.5])(
      "what is trained begins as the start, margin %d",
      async (margin) => {
        const start = await startFor(parseScheme(id));
        const moved = weights.slice();
        moveIntoBins(moved, start, margin);
        const packed = await begin(moved, start).freeze();
        const unsigned = (of: QTensor): number[] =>
          Array.from(of.dequantize(), (value) => value + 0);
        expect(unsigned(packed)).toEqual(unsigned(start));
      },
    );

    test("weights that are in their bins stay, and others move towards the value of their code", async () => {
      const start = await startFor(parseScheme(id));
      const moved = weights.slice();
      moveIntoBins(moved, start, 0.1);
      const again = moved.slice();
      moveIntoBins(again, start, 0.1);
      expect(again).toEqual(moved);
      const values = start.dequantize();
      let kept = 0;
      for (const [i, weight] of weights.entries()) {
        if (moved[i] === weight) kept++;
        expect((moved[i] - weight) * (values[i] - weight)).toBeGreaterThanOrEqual(0);
        expect(Math.abs(moved[i] - weight)).toBeLessThanOrEqual(Math.abs(values[i] - weight));
      }
      expect(kept).toBeGreaterThan(0);
      expect(kept).toBeLessThan(weights.length);
    });
  },
);
