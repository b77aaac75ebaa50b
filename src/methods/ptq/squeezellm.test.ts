import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import { parseScheme, sparseWeights } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { NumericError } from "../../util/errors.ts";
import { halvesToFloats } from "../../util/half.ts";
import { chooseSparse } from "../shared/choose-sparse.ts";
import squeezellm from "./squeezellm.ts";

interface Case {
  readonly bits: number;
  /** `Σ F·(w − centroid)²` of k-means as the authors call it. */
  readonly loss: number;
  /** Of the first row. */
  readonly centroids: readonly number[];
  /** The same without the weights that are taken out. */
  readonly sparseLoss: number;
}

const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/squeezellm.json", import.meta.url), "utf8"),
) as {
  rows: number;
  columns: number;
  sensitive: number[];
  outliers: number[];
  cases: Case[];
};
const { rows, columns } = golden;
const backend = createReferenceBackend();
const weights = goldenMatrix(rows, columns, 3);
const squares = goldenMatrix(rows, columns, 5).map((x) => x * x);

async function quantize(
  id: string,
  { values = weights, counted = squares, sensitive = 0.05 } = {},
): Promise<QTensor> {
  const upload = (of: Float32Array) => Tensor.from(backend, "f32", [rows, columns], of.slice());
  const { weight } = await squeezellm.quantizeLinear!({
    name: "layer",
    weight: upload(values),
    scheme: parseScheme(id),
    hessian: null,
    sensitivities: upload(counted),
    options: { sensitive },
  });
  return weight;
}

function lossOf(decoded: Float32Array, counted: Float32Array): number {
  return decoded.reduce((sum, value, i) => sum + counted[i] * (value - weights[i]) ** 2, 0);
}

describe.each(golden.cases)("$bits bits", ({ bits, loss, centroids, sparseLoss }) => {
  test("the loss is no more than that of k-means as the authors call it", async () => {
    const found = lossOf((await quantize(`w${bits}-codebook`)).dequantize(), squares);
    // Values are rounded to float16.
    expect(found).toBeLessThan(loss * 1.001);
    expect(found).toBeGreaterThan(loss * 0.5);
  });

  test("centroids of a row are near those", async () => {
    const { parts } = await quantize(`w${bits}-codebook`);
    const first = halvesToFloats(parts.codebook ?? new Uint16Array()).slice(0, 2 ** bits);
    const spread = centroids[centroids.length - 1] - centroids[0];
    expect(Math.abs(first[0] - centroids[0])).toBeLessThan(spread / 8);
    expect(Math.abs(first[first.length - 1] - centroids[centroids.length - 1])).toBeLessThan(
      spread / 8,
    );
  });

  test("with the weights taken out that the authors take out, too", async () => {
    const taken = golden.sensitive.length + golden.outliers.length;
    const share = ((100 * taken) / weights.length).toFixed(2);
    const id = `w${bits}-codebook-s${Number(share)}`;
    const sensitive = (100 * golden.sensitive.length) / weights.length;
    expect(sparseWeights(parseScheme(id), rows, columns)).toBe(taken);
    const made = await quantize(id, { sensitive });
    const without = squares.slice();
    for (const place of [...golden.sensitive, ...golden.outliers]) without[place] = 0;
    const decoded = made.dequantize();
    expect(lossOf(decoded, without)).toBeLessThan(sparseLoss * 1.001);
    for (const place of [...golden.sensitive, ...golden.outliers]) {
      expect(Math.abs(decoded[place] - weights[place])).toBeLessThan(2 ** -11);
    }
    const places = [...(made.parts.sparse?.columns ?? [])];
    const expected = [...golden.sensitive, ...golden.outliers].sort((a, b) => a - b);
    expect(places).toEqual(expected.map((place) => place % columns));
  });
});

test("the rules of the authors take the weights that are chosen by number", () => {
  const { sensitive, outliers } = golden;
  const count = sensitive.length + outliers.length;
  const chosen = chooseSparse(weights, squares, { count, sensitive: sensitive.length });
  expect([...chosen]).toEqual([...sensitive, ...outliers].sort((a, b) => a - b));
  expect([...chooseSparse(weights, squares, { count: 0, sensitive: 0 })]).toEqual([]);
});

test("of equal weights the first are chosen", () => {
  const same = new Float32Array(8).fill(2);
  const chosen = chooseSparse(same, same, { count: 3, sensitive: 1 });
  expect([...chosen]).toEqual([0, 1, 2]);
});

test("a row that no window moves is clustered with all weights alike", async () => {
  const none = new Float32Array(squares.length);
  const alike = new Float32Array(squares.length).fill(1);
  const found = (await quantize("w2-codebook", { counted: none })).dequantize();
  expect(found).toEqual((await quantize("w2-codebook", { counted: alike })).dequantize());
});

test("without gradients it is refused", async () => {
  const weight = Tensor.from(backend, "f32", [rows, columns], weights.slice());
  const problem = { name: "layer", weight, scheme: parseScheme("w3-codebook"), hessian: null };
  const options = { sensitive: 0.05 };
  await expect(squeezellm.quantizeLinear!({ ...problem, options })).rejects.toThrow(NumericError);
});

test("weights beside the codes that do not fit into float16 are a NumericError", async () => {
  const values = weights.map((value, i) => (i === 7 ? 3e5 : value));
  const counted = squares.map((square, i) => (i === 7 ? 0 : square));
  await expect(quantize("w2-codebook-s0.5", { values, counted })).rejects.toThrow(
    "do not fit into float16",
  );
});
