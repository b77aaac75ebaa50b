import { describe, expect, test } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import { decoderScorePair } from "../models/decoder-scale-groups.ts";
import { readModelConfig } from "../models/index.ts";
import { UnsupportedError } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";
import {
  type LoadedCase,
  loadCase,
  modelCaseNames,
  readModelCase,
  windowLogits,
} from "../../test/golden/model-cases.ts";
import {
  canShift,
  channelCount,
  floatLinear,
  replaceWeight,
  scaleChannels,
  scaleScores,
  shiftChannels,
} from "./scale-channels.ts";
import { Tensor } from "../tensor/tensor.ts";

const backend = createReferenceBackend();

/** Factors between 1/8 and 8. */
function randomFactors(count: number, random: Prng): Float32Array {
  return Float32Array.from({ length: count }, () => 2 ** (6 * random.uniform() - 3));
}

async function scaleAll({ model, blocks }: LoadedCase): Promise<void> {
  const random = new Prng(1);
  for (const block of blocks) {
    for (const group of model.scaleGroups(block.index)) {
      const channels = channelCount(block, group);
      const shifts = Float32Array.from({ length: channels }, () => random.uniform() - 0.5);
      if (canShift(block, group)) {
        shiftChannels(block, group, Tensor.from(backend, "f32", [channels], shifts));
      }
      await scaleChannels(block, group, randomFactors(channels, random));
    }
    const pair = model.scorePair(block.index);
    if (pair) await scaleScores(block, pair, randomFactors(pair.factors, random));
  }
}

describe("scaling channels leaves what the model computes as it was", () => {
  test.each(modelCaseNames)("%s", async (model) => {
    const golden = { ...readModelCase(model), dtype: "float32" } as const;
    const loaded = await loadCase(backend, golden);
    const before = await windowLogits(loaded, golden.ids).read();
    const [[name]] = loaded.model.scaleGroups().map(({ consumers }) => consumers);
    const weight = await floatLinear(loaded.blocks[0], name).weight.read();
    await scaleAll(loaded);
    const after = await windowLogits(loaded, golden.ids).read();
    const largest = before.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const worst = before.reduce((most, value, i) => Math.max(most, Math.abs(value - after[i])), 0);
    expect(worst).toBeLessThan(1e-4 * largest);
    const scaled = await floatLinear(loaded.blocks[0], name).weight.read();
    expect(scaled).not.toEqual(weight);
  });
});

test("a group whose factors are too few is refused", async () => {
  const loaded = await loadCase(backend, readModelCase("llama"));
  const [block] = loaded.blocks;
  for (const group of loaded.model.scaleGroups()) {
    const factors = new Float32Array(channelCount(block, group) - 1).fill(1);
    await expect(scaleChannels(block, group, factors)).rejects.toThrow(/factors, got/);
  }
});

test("shifts go where there are biases for them, and are refused elsewhere", async () => {
  const shiftable: string[] = [];
  for (const name of ["llama", "opt", "gpt2"]) {
    const golden = { ...readModelCase(name), dtype: "float32" } as const;
    const { model, blocks } = await loadCase(backend, golden);
    const [group] = model.scaleGroups();
    if (canShift(blocks[0], group)) shiftable.push(name);
    else {
      const shifts = Tensor.zeros(backend, "f32", [channelCount(blocks[0], group)]);
      expect(() => shiftChannels(blocks[0], group, shifts)).toThrow(UnsupportedError);
    }
  }
  expect(shiftable).toEqual(["opt", "gpt2"]);
});

test("channels of queries that are rotated together, or read one key head, have one factor", () => {
  const config: DecoderConfig = readModelConfig({
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_size: 16,
    intermediate_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    vocab_size: 8,
    max_position_embeddings: 8,
  });
  const pair = decoderScorePair(config, 0);
  expect(pair?.factors).toBe(4);
  expect([...(pair?.factorOfKey ?? [])]).toEqual([0, 1, 0, 1, 2, 3, 2, 3]);
  expect([...(pair?.factorOfQuery ?? [])]).toEqual([
    0, 1, 0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3, 2, 3,
  ]);
});

test("a weight that is not float32 any more is refused", async () => {
  const { blocks } = await loadCase(backend, readModelCase("llama"));
  const { weight } = floatLinear(blocks[0], "mlp.up_proj");
  const halves = Tensor.from(backend, "f16", weight.shape, new Uint16Array(weight.size));
  replaceWeight(blocks[0], "mlp.up_proj", halves as never);
  expect(() => floatLinear(blocks[0], "mlp.up_proj")).toThrow(UnsupportedError);
});
