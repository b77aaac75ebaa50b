import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../test/golden/golden-matrix.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { blockFormats } from "../quant/blocks/index.ts";
import { groupsPerBlock } from "../quant/blocks/block-run.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { expectBlocks, parseScheme } from "../quant/scheme.ts";
import { linear } from "../tensor/products.ts";
import { Tape } from "../tensor/tape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { floatsToHalves } from "../util/half.ts";
import { RescaledLinear } from "./rescaled-linear.ts";

const [rows, columns] = [3, 512];
const backend = createReferenceBackend();
const x = Tensor.from(backend, "f32", [2, columns], goldenMatrix(2, columns, 5));

/** A weight of any codes and factors that a format holds. */
function anyWeight(id: string): QTensor {
  const scheme = expectBlocks(parseScheme(id));
  const { blocks: format } = scheme;
  const blocks = (rows * columns) / format.columns;
  const groups = blocks * groupsPerBlock(format);
  const whole = (count: number, seed: number, low: number, high: number): number[] =>
    Array.from(goldenMatrix(1, count, seed, (high - low) / 2), (value) =>
      Math.min(Math.max(Math.round(value + (low + high) / 2), low), high),
    );
  const halves = (seed: number) => floatsToHalves(goldenMatrix(1, blocks, seed, 0.01));
  const { subScaleRange: range, largestSubOffset: most } = format;
  return QTensor.packBlocks(scheme, {
    outFeatures: rows,
    inFeatures: columns,
    codes: Uint8Array.from(whole(rows * columns, 1, 0, format.levels - 1)),
    scales: halves(2),
    offsets: format.offset === "none" ? null : halves(3),
    subScales: range && Int8Array.from(whole(groups, 4, ...range)),
    subOffsets: most === null ? null : Uint8Array.from(whole(groups, 6, 0, most)),
  });
}

describe.each(blockFormats)("scales of blocks of $id", ({ id, offset }) => {
  test("are stored as they were, as long as nothing trains them", async () => {
    const weight = anyWeight(id);
    const layer = new RescaledLinear(backend, weight, null);
    expect((await layer.freeze()).parts.blocks).toEqual(weight.parts.blocks);
  });

  test("are learned, with the offsets; what is stored is what the layer multiplies by", async () => {
    const weight = anyWeight(id);
    const layer = new RescaledLinear(backend, weight, null);
    const roles = layer.learned.map(({ role }) => role);
    expect(roles).toEqual(offset === "none" ? ["scales"] : ["scales", "offsets"]);
    for (const { value } of layer.learned) {
      const moved = (await value.read()).map((scale, i) => scale * (1 + 0.1 * (i % 3)) + 1e-4);
      (value.storage as Float32Array).set(moved);
    }
    const frozen = await layer.freeze();
    expect(frozen.unpackCodes()).toEqual(weight.unpackCodes());
    const { subScales, subOffsets } = frozen.unpackBlockScales();
    expect(subScales).toEqual(weight.unpackBlockScales().subScales);
    expect(subOffsets).toEqual(weight.unpackBlockScales().subOffsets);
    const decoded = Tensor.from(backend, "f32", [rows, columns], frozen.dequantize());
    expect(await layer.forward(x).read()).toEqual(await linear(x, decoded).read());
  });

  test("a small step against the gradient lessens what it is a gradient of", async () => {
    const layer = new RescaledLinear(backend, anyWeight(id), null);
    const sum = async (): Promise<number> =>
      (await layer.forward(x).read()).reduce((a, b) => a + b, 0);
    let before = await sum();
    const tape = new Tape();
    tape.watch(...layer.learned.map(({ value }) => value));
    const out = tape.run(() => layer.forward(x));
    tape.backward([
      [out, Tensor.from(backend, "f32", out.shape, new Float32Array(out.size).fill(1))],
    ]);
    for (const { value, role } of layer.learned) {
      const gradient = await tape.takeGradient(value)?.read();
      expect(
        gradient?.some((g) => g !== 0),
        role,
      ).toBe(true);
      const values = value.storage as Float32Array;
      gradient?.forEach((g, i) => {
        values[i] -= 0.05 * Math.sign(g) * Math.abs(values[i]);
      });
      const after = await sum();
      expect(after, role).toBeLessThan(before);
      before = after;
    }
    tape.release();
  });
});
