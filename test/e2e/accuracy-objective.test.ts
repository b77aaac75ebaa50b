import { describe, expect, test } from "vitest";
import { openBackend } from "../../src/backend/registry.ts";
import { loadCalibration } from "../../src/calibration/dataset.ts";
import { Hessian } from "../../src/calibration/statistics/hessian.ts";
import "../../src/index.ts";
import gptq from "../../src/methods/ptq/gptq.ts";
import rtn from "../../src/methods/ptq/rtn.ts";
import { Linear } from "../../src/nn/linear.ts";
import type { Block } from "../../src/nn/quantizable-model.ts";
import type { QTensor } from "../../src/quant/q-tensor.ts";
import { parseScheme } from "../../src/quant/scheme.ts";
import { openModel } from "../../src/runtime/load.ts";
import { accumulateGram } from "../../src/tensor/quantization-ops.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { DirectoryFiles } from "../../src/formats/directory-files.ts";
import { loadTokenizer } from "../../src/tokenizers/load-tokenizer.ts";
import { absent, calibrationText, shared } from "./shared-models.ts";

/** Second moments `[in, in]` of a layer's inputs: as methods see them, and without any rounding. */
interface Moments {
  readonly hessian: Hessian;
  readonly gram: Tensor<"f64">;
}

/** A linear layer of the original model. */
interface Layer extends Moments {
  readonly name: string;
  readonly weight: Float32Array;
  readonly shape: readonly [number, number];
}

const models = [
  { name: "stories260K", schemes: ["w2", "w2g64", "w3", "w3g64", "w4", "w4g64-sym"] },
  { name: "babyllama-tok105", schemes: ["w2g64", "w4g64-sym"] },
] as const;
const samples = 16;

const { backend } = openBackend();

/**
 * Runs calibration text through the original model and gathers `Σ x·xᵀ` in front of every linear.
 */
async function gatherLayers(name: (typeof models)[number]["name"]): Promise<Layer[]> {
  const directory = shared(`models/${name}`);
  const { model, checkpoint } = await openModel(directory, { backend, precision: "float32" });
  const files = [{ path: calibrationText(name) }];
  const tokenizer = await loadTokenizer(new DirectoryFiles(directory));
  const { windows } = await loadCalibration(files, tokenizer, { samples, window: 256 });
  const ids = Int32Array.from(windows.flatMap((window) => [...window]));
  let hidden = model.embed(Tensor.from(backend, "i32", [samples, 256], ids));
  const layers: Layer[] = [];
  for (let index = 0; index < model.blockCount; index++) {
    const block = await model.loadBlock(index);
    const moments = new Map<string, Moments>();
    const next = model.forwardBlock(block, hidden, {
      position: 0,
      observe: ({ name: slot, layer: { inFeatures } }, input) => {
        const gram = Tensor.zeros(backend, "f64", [inFeatures, inFeatures]);
        accumulateGram(gram, input);
        const hessian = Hessian.empty(backend, inFeatures);
        hessian.add(input);
        moments.set(slot, { hessian, gram });
      },
    });
    layers.push(...(await describeLayers(block, moments)));
    model.releaseBlock(block);
    hidden.release();
    if (next) hidden = next;
  }
  await checkpoint.close();
  return layers;
}

async function describeLayers(block: Block, moments: Map<string, Moments>): Promise<Layer[]> {
  const layers: Layer[] = [];
  for (const { name, layer } of block.slots) {
    const gathered = moments.get(name);
    if (!(layer instanceof Linear && layer.weight instanceof Tensor && gathered)) {
      throw new Error(`${block.name}.${name} is no float linear that was run`);
    }
    const weight = (await (layer.weight as Tensor<"f32">).read()).slice();
    const shape = [layer.outFeatures, layer.inFeatures] as const;
    layers.push({ name: `${block.name}.${name}`, weight, shape, ...gathered });
  }
  return layers;
}

/** tr(ΔW·H·ΔWᵀ) = ‖X·(W − Ŵ)ᵀ‖². */
function objective(layer: Layer, gram: Float64Array, made: QTensor): number {
  const [, columns] = layer.shape;
  const delta = made.dequantize().map((value, i) => layer.weight[i] - value);
  let sum = 0;
  for (let row = 0; row < delta.length; row += columns) {
    for (let i = 0; i < columns; i++) {
      let product = 0;
      for (let j = 0; j < i; j++) product += gram[i * columns + j] * delta[row + j];
      sum += delta[row + i] * (2 * product + gram[i * columns + i] * delta[row + i]);
    }
  }
  return sum;
}

/** Quantizes a layer with GPTQ, and with RTN under the same rule for scales. */
async function compare(
  layer: Layer,
  schemeId: string,
  options: { readonly mse: boolean; readonly activationOrder: boolean },
): Promise<{ gptq: number; rtn: number }> {
  const { name, shape } = layer;
  const scheme = parseScheme(schemeId);
  const weight = () => Tensor.from(backend, "f32", shape, layer.weight.slice());
  const byGptq = await gptq.quantizeLinear?.({
    name,
    scheme,
    weight: weight(),
    hessian: layer.hessian,
    options: gptq.options.parse(options),
  });
  const byRtn = await rtn.quantizeLinear?.({
    name,
    scheme,
    weight: weight(),
    hessian: null,
    options: rtn.options.parse({ mse: options.mse }),
  });
  if (!byGptq || !byRtn) throw new Error("GPTQ and RTN quantize linears");
  expect(byGptq.fallback).toBeUndefined();
  const gram = await layer.gram.read();
  return {
    gptq: objective(layer, gram, byGptq.weight),
    rtn: objective(layer, gram, byRtn.weight),
  };
}

/** Compares on all layers; returns the sums. */
async function compareAll(
  layers: readonly Layer[],
  scheme: string,
  options: { readonly mse: boolean; readonly activationOrder: boolean },
): Promise<{ gptq: number; rtn: number }> {
  const sums = { gptq: 0, rtn: 0 };
  for (const layer of layers) {
    const errors = await compare(layer, scheme, options);
    expect(errors.gptq, layer.name).toBeLessThanOrEqual(errors.rtn);
    sums.gptq += errors.gptq;
    sums.rtn += errors.rtn;
  }
  return sums;
}

const variants = [
  { mse: true, activationOrder: false },
  { mse: false, activationOrder: false },
  { mse: true, activationOrder: true },
];

describe.skipIf(absent)(`gptq ≤ rtn on ‖X·(W − Ŵ)ᵀ‖² of every layer${absent}`, () => {
  describe.each(models)("$name", ({ name, schemes }) => {
    let layers: Promise<Layer[]> | null = null;
    test.each(schemes)("%s", async (scheme) => {
      layers ??= gatherLayers(name);
      for (const options of variants) {
        const sums = await compareAll(await layers, scheme, options);
        expect(sums.gptq, JSON.stringify(options)).toBeLessThan(0.8 * sums.rtn);
      }
    });
  });
});
