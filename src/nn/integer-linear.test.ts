import { describe, expect, test } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import rtn from "../methods/ptq/rtn.ts";
import { fitActivations } from "../quant/activation-grid.ts";
import type { QTensor } from "../quant/q-tensor.ts";
import { parseScheme } from "../quant/scheme.ts";
import { Tensor } from "../tensor/tensor.ts";
import { roundHalfEven } from "../util/rounding.ts";
import { Prng } from "../util/prng.ts";
import { IntegerLinear } from "./integer-linear.ts";
import { Linear } from "./linear.ts";
import { makeLinear } from "./make-linear.ts";

const backend = createReferenceBackend();
const [tokens, outFeatures, inFeatures] = [9, 12, 70];
const random = new Prng(6);
const draw = (count: number, spread: number, shift = 0): Float32Array =>
  Float32Array.from({ length: count }, () => shift + spread * random.normal());
const weights = draw(outFeatures * inFeatures, 0.1);
const biases = draw(outFeatures, 1);
const inputs = draw(tokens * inFeatures, 1, 0.5);

async function quantized(id: string): Promise<QTensor> {
  const weight = Tensor.from(backend, "f32", [outFeatures, inFeatures], weights.slice());
  const scheme = parseScheme(id.split(/a[468]/)[0]);
  const made = await rtn.quantizeLinear?.({
    name: "test",
    weight,
    scheme,
    hessian: null,
    options: rtn.options.parse({}),
  });
  const outputs = await floatOutputs();
  const input = fitActivations(Math.min(...inputs), Math.max(...inputs));
  const output = fitActivations(Math.min(...outputs), Math.max(...outputs));
  const fixed = {
    "-static": { input, output: null },
    "-integer": { input, output },
    "": null,
  }[id.split(/a[468]/)[1] as "" | "-static" | "-integer"];
  return (made as NonNullable<typeof made>).weight.withActivations(parseScheme(id), fixed);
}

const input = () => Tensor.from(backend, "f32", [1, tokens, inFeatures], inputs.slice());
const bias = () => Tensor.from(backend, "f32", [outFeatures], biases.slice());

async function floatOutputs(): Promise<Float32Array> {
  const weight = Tensor.from(backend, "f32", [outFeatures, inFeatures], weights.slice());
  return new Linear(backend, weight, bias()).forward(input()).read();
}

describe("linear layers with 8-bit activations", () => {
  const schemes = ["w8a8", "w4g32a8", "w8-narrowa8", "w8-syma8", "w8a8-static"];
  const integer = ["w8-narrowa8-static", "w8-narrowa8-integer", "w8-syma8-integer"];
  test.each([...schemes, ...integer])("%s: outputs are near those of floats", async (id) => {
    const layer = await makeLinear(backend, await quantized(id), bias());
    const made = layer.forward(input());
    expect(made.shape).toEqual([1, tokens, outFeatures]);
    const exact = await floatOutputs();
    const values = await made.read();
    const distance = values.reduce((sum, y, i) => sum + (y - exact[i]) ** 2, 0);
    const norm = exact.reduce((sum, y) => sum + y * y, 0);
    expect(distance / norm).toBeLessThan(id.startsWith("w4") ? 1e-2 : 1e-3);
    expect(distance).toBeGreaterThan(0);
  });

  test.each([
    ["w8-narrowa4", 7],
    ["w8g32a6", 31],
  ])("%s: inputs of a token are rounded to %i values on either side of 0", async (id, levels) => {
    const weight = await quantized(id);
    const layer = await makeLinear(backend, weight, bias());
    const rounded = inputs.map((x, i) => {
      const token = Math.floor(i / inFeatures) * inFeatures;
      const peaks = inputs.subarray(token, token + inFeatures).map(Math.abs);
      const scale = Math.fround(Math.max(...peaks) / levels);
      return scale * roundHalfEven(Math.fround(x / scale));
    });
    const decoded = Tensor.from(backend, "f32", [outFeatures, inFeatures], weight.dequantize());
    const seen = Tensor.from(backend, "f32", [1, tokens, inFeatures], rounded);
    const expected = await new Linear(backend, decoded, bias()).forward(seen).read();
    for (const [i, y] of (await layer.forward(input()).read()).entries()) {
      expect(Math.abs(y - expected[i])).toBeLessThan(1e-4);
    }
  });

  test("8-bit rows without zero points are multiplied in integers", async () => {
    expect(await makeLinear(backend, await quantized("w8-narrowa8"))).toBeInstanceOf(IntegerLinear);
    expect(await makeLinear(backend, await quantized("w8a8"))).not.toBeInstanceOf(IntegerLinear);
  });

  test("integer outputs lie on the output's 8-bit grid, the float result within one step", async () => {
    const weight = await quantized("w8-narrowa8-integer");
    const scale = weight.parts.activations?.output?.scale ?? 0;
    const made = await (await makeLinear(backend, weight, bias())).forward(input()).read();
    const floats = await quantized("w8-narrowa8-static");
    const plain = await (await makeLinear(backend, floats, bias())).forward(input()).read();
    for (let i = 0; i < made.length; i++) {
      expect(Math.abs(made[i] / scale - Math.round(made[i] / scale))).toBeLessThan(1e-4);
      expect(Math.abs(made[i] - plain[i])).toBeLessThan(scale);
    }
  });

  test("weights of narrow rows are never −128", async () => {
    const codes = (await quantized("w8-narrowa8")).unpackCodes();
    expect(Math.max(...codes)).toBe(254);
    expect(Math.min(...codes)).toBeGreaterThanOrEqual(0);
  });
});
