import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { blockFormats } from "../../quant/blocks/index.ts";
import { expectBlocks, parseScheme } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { SchemeError } from "../../util/errors.ts";
import { chooseBlocks } from "./block-search.ts";

interface Golden {
  columns: number;
  cases: { format: string; plain: string; important: string }[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/block-search.json", import.meta.url), "utf8"),
) as Golden;
const { columns } = golden;
const backend = createReferenceBackend();

/** The rows of `tools/golden/make_block_search.py`. */
function goldenWeights(): Float32Array {
  const weights = new Float32Array(2 * columns);
  weights.set(goldenMatrix(1, columns, 11, 1 / 16));
  const odd = goldenMatrix(1, columns, 12, 1 / 16);
  odd.fill(0, 0, 16);
  odd.fill(0.375, 32, 64);
  for (let i = 64; i < 96; i++) odd[i] = -Math.abs(odd[i]);
  odd[100] = 8;
  for (let i = 128; i < 144; i++) odd[i] *= 2 ** -30;
  for (let i = 160; i < 192; i++) odd[i] = Math.abs(odd[i]);
  for (let i = 256; i < 512; i++) odd[i] = nearestEven(odd[i] * 16) / 16;
  weights.set(odd, columns);
  return weights;
}

const nearestEven = (value: number) => {
  const whole = Math.round(value);
  return Math.abs(value % 1) === 0.5 && whole % 2 !== 0 ? whole - 1 : whole;
};

const importance = goldenMatrix(1, columns, 13).map((value) => Math.abs(value) + 2 ** -6);

async function blocksOf(id: string, important: boolean): Promise<string> {
  const weight = Tensor.from(backend, "f32", [2, columns], goldenWeights());
  const scheme = expectBlocks(parseScheme(id));
  const { parts } = await chooseBlocks(weight, scheme, important ? importance : null);
  return Buffer.from(parts.blocks ?? []).toString("base64");
}

describe.each(blockFormats)("blocks of $id", ({ id }) => {
  const expected = golden.cases.find(({ format }) => format === id);
  test("are those that llama.cpp chooses", async () => {
    expect(await blocksOf(id, false)).toBe(expected?.plain);
  });
  test("are those that llama.cpp chooses by importance", async () => {
    expect(await blocksOf(id, true)).toBe(expected?.important);
  });
  test("are not chosen for a row that is no whole number of them", async () => {
    const weight = Tensor.zeros(backend, "f32", [2, columns - 8]);
    const chosen = chooseBlocks(weight, expectBlocks(parseScheme(id)), null);
    await expect(chosen).rejects.toThrow(SchemeError);
  });
});
