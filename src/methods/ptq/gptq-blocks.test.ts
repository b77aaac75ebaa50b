import { beforeAll, describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import { groupAwareOrder } from "../../calibration/statistics/column-order.ts";
import { Hessian } from "../../calibration/statistics/hessian.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { blockFormats } from "../../quant/blocks/index.ts";
import { type BlockScheme, expectBlocks, parseScheme } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { BlockQuantizer, roundToBlocks } from "../shared/block-quantizer.ts";
import { chooseBlocks } from "../shared/block-search.ts";
import gptq from "./gptq.ts";

const [rows, columns, tokens] = [9, 512, 700];
const backend = createReferenceBackend();
const weights = goldenMatrix(rows, columns, 1, 0.05);

/** Inputs of which neighbours are alike, some channels large, one never used. */
const inputs = goldenMatrix(tokens, columns, 7).map((value, i, plain) => {
  const column = i % columns;
  if (column === 40) return 0;
  const mixed = column === 0 ? value : value + 0.7 * plain[i - 1];
  return column % 19 === 0 ? mixed * 4 : mixed;
});

const tensor = (values: Float32Array): Tensor<"f32"> =>
  Tensor.from(backend, "f32", [rows, columns], values.slice());

const hessian = Hessian.empty(backend, columns);
hessian.add(Tensor.from(backend, "f32", [tokens, columns], inputs));
const moments = await hessian.moments();
const energies = await hessian.energies();
const importance = Float32Array.from(energies, (energy) => energy / tokens + 0.01);

/** ‖X·(W − Ŵ)ᵀ‖². */
function outputError(decoded: Float32Array): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    const error = weights
      .subarray(row * columns, (row + 1) * columns)
      .map((w, j) => w - decoded[row * columns + j]);
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < columns; j++) sum += error[i] * moments[i * columns + j] * error[j];
    }
  }
  return sum;
}

/** The same values, zeros without a sign. */
const unsigned = (values: Float32Array): Float32Array => values.map((value) => value + 0);

async function run(scheme: BlockScheme, options: object = {}): Promise<Float32Array> {
  const problem = {
    name: "test",
    weight: tensor(weights),
    scheme,
    hessian,
    options: gptq.options.parse(options),
  };
  const made = await gptq.quantizeLinear?.(problem);
  expect(made?.fallback).toBeUndefined();
  return made?.weight.dequantize() ?? new Float32Array();
}

describe.each(blockFormats)("$id", ({ id, subScaleRange }) => {
  const scheme = expectBlocks(parseScheme(id));
  let searched: readonly number[] = [];
  beforeAll(async () => {
    const weighed = await Promise.all(
      [null, importance].map((weight) => chooseBlocks(tensor(weights), scheme, weight)),
    );
    searched = weighed.map((made) => outputError(made.dequantize()));
  });

  test.each([
    {},
    { groupAware: false },
    { staticGroups: true },
    { groupAware: false, staticGroups: true },
    { activationOrder: true },
  ])("GPTQ with %j has less output error than the search of blocks alone", async (options) => {
    const found = outputError(await run(scheme, options));
    for (const error of searched) expect(found).toBeLessThan(error);
    expect(searched).toHaveLength(2);
  });

  test.runIf(subScaleRange)("groups that are fitted anew lessen it further", async () => {
    const anew = outputError(await run(scheme, { groupAware: false }));
    expect(anew).toBeLessThan(
      outputError(await run(scheme, { groupAware: false, staticGroups: true })),
    );
  });

  test("the values that columns are set to are those that are packed", async () => {
    const weight = tensor(weights);
    const quantizer = new BlockQuantizer(weight, scheme, importance);
    quantizer.fitAll();
    quantizer.quantizeAll(null);
    const values = unsigned(await weight.read());
    expect(values).toEqual(unsigned((await quantizer.finish()).dequantize()));
    const rounded = tensor(weights);
    roundToBlocks(rounded, scheme, importance);
    expect(unsigned(await rounded.read())).toEqual(values);
  });

  test("columns that are moved with their blocks are packed where they were", async () => {
    const { columns: ofBlock, groupColumns } = scheme.blocks;
    const order = groupAwareOrder(energies, ofBlock, groupColumns);
    const moved = Float32Array.from({ length: rows * columns }, (_, i) => {
      const row = Math.floor(i / columns);
      return weights[row * columns + order[i % columns]];
    });
    const quantizer = new BlockQuantizer(tensor(moved), scheme, null);
    quantizer.fitAll();
    quantizer.quantizeAll(null);
    const ofMoved = unsigned(await quantizer.weight.read());
    const packed = unsigned((await quantizer.finish(order, true)).dequantize());
    for (let i = 0; i < ofMoved.length; i++) {
      const row = Math.floor(i / columns);
      expect(packed[row * columns + order[i % columns]]).toBe(ofMoved[i]);
    }
  });
});

test("a Hessian that is not positive definite leaves the search of blocks, and says so", async () => {
  const scheme = expectBlocks(parseScheme("q2_k"));
  const broken = Hessian.of(
    Tensor.from(backend, "f64", [columns, columns], new Float64Array(columns ** 2).fill(NaN)),
  );
  const problem = { name: "test", weight: tensor(weights), scheme, hessian: broken };
  const made = await gptq.quantizeLinear?.({ ...problem, options: gptq.options.parse({}) });
  expect(made?.fallback).toMatch(/not positive definite/);
});
