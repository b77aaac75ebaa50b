import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { readModelCase } from "../../test/golden/model-cases.ts";
import {
  type TinyCheckpointOptions,
  writeTinyCheckpoint,
} from "../../test/golden/tiny-checkpoint.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import type { DecoderBlock } from "../models/decoder-weights.ts";
import { Linear, type LinearSlot } from "../nn/linear.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { Tensor } from "../tensor/tensor.ts";
import { CancelledError, FormatError, NumericError, UnsupportedError } from "../util/errors.ts";
import type { LanguageModel } from "./language-model.ts";
import { load, openModel } from "./load.ts";

const backend = createReferenceBackend();
const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function tiny(options: TinyCheckpointOptions = {}): Promise<string> {
  const checkpoint = await writeTinyCheckpoint(options);
  cleanups.push(checkpoint.remove);
  return checkpoint.path;
}

function weightOf(layer: unknown): Tensor | QTensor {
  expect(layer).toBeInstanceOf(Linear);
  return (layer as Linear).weight as Tensor | QTensor;
}

describe("a float checkpoint", () => {
  test("gives the golden logits, and those of streaming in float32", async () => {
    const golden = readModelCase("llama-tied-multi-head");
    const languageModel = await load(await tiny(), { backend });
    const { hiddenSize, vocabularySize } = languageModel.config;
    const ids = languageModel.tokens(golden.ids);
    const hidden = languageModel.hiddenStates(ids);
    const logits = await languageModel.logits(hidden.reshape([ids.size, hiddenSize])).read();
    const last = logits.subarray(logits.length - vocabularySize);
    const expected = golden.logits[1].at(-1) ?? [];
    for (const [i, value] of expected.entries()) expect(last[i]).toBeCloseTo(value, 3);

    const opened = await openModel(languageModel.directory, { backend, precision: "float32" });
    let streamed: Tensor<"f32"> = opened.model.embed(ids);
    for (let index = 0; index < opened.model.blockCount; index++) {
      const block = await opened.model.loadBlock(index);
      expect(weightOf(block.slots[0].layer)).toMatchObject({ dtype: "f32" });
      streamed = opened.model.forwardBlock(block, streamed, { position: 0 }) ?? streamed;
      opened.model.releaseBlock(block);
    }
    await opened.checkpoint.close();
    expect(await streamed.read()).toEqual(await hidden.read());
  });

  test("keeps 16-bit matrices in 16 bits", async () => {
    const languageModel = await load(await tiny(), { backend });
    for (const slot of slotsOf(languageModel)) {
      expect(weightOf(slot.layer)).toMatchObject({ dtype: "f16" });
    }
  });

  test("has its sizes counted, tied parameters once", async () => {
    const { sizes, name, architecture, schemeId } = await load(await tiny(), { backend });
    expect(architecture).toBe("Llama");
    expect(name).toMatch(/^fewbit-tiny-/);
    expect(schemeId).toBeNull();
    const linear = 2 * (4 * 32 * 32 + 3 * 32 * 44);
    expect(sizes.linear).toEqual({
      layers: 14,
      weights: linear,
      bytes: 2 * linear,
      bitsPerWeight: 16,
    });
    expect(sizes.parameters).toBe(linear + 72 * 32 + 5 * 32);
    expect(sizes.file.bytes).toBeGreaterThan(2 * sizes.parameters);
  });
});

function slotsOf({ blocks }: LanguageModel): LinearSlot[] {
  return (blocks as readonly DecoderBlock[]).flatMap(({ slots }) => slots);
}

describe("a packed checkpoint", () => {
  test.each(["w4g16", "w3g32", "w2-sym", "w1.58", "w1g16", "w8"])(
    "of %s gives the logits of its dequantized weights",
    async (scheme) => {
      const languageModel = await load(await tiny({ scheme }), { backend });
      expect(languageModel.schemeId).toBe(scheme);
      const ids = languageModel.tokens([[5, 6, 7, 8, 9, 3, 4]]);
      const packed = (await languageModel.hiddenStates(ids).read()) as Float32Array;
      let bytes = 0;
      for (const slot of slotsOf(languageModel)) {
        const weight = weightOf(slot.layer);
        if (!(weight instanceof QTensor)) throw new Error(`${slot.name} is not packed`);
        bytes += weight.sizeBytes;
        const shape = [weight.outFeatures, weight.inFeatures];
        slot.layer = new Linear(backend, Tensor.from(backend, "f32", shape, weight.dequantize()));
      }
      const dense = (await languageModel.hiddenStates(ids).read()) as Float32Array;
      for (const [i, value] of dense.entries()) expect(packed[i]).toBeCloseTo(value, 4);
      expect(languageModel.sizes.linear.bytes).toBe(bytes);
    },
  );

  test("that lacks its codes is a FormatError", async () => {
    const path = await tiny({
      omit: (name) => name.includes("layers.1.mlp.up_proj"),
      scheme: "w4",
    });
    await expect(load(path, { backend })).rejects.toThrow(
      /no tensor model\.layers\.1\.mlp\.up_proj\.weight/,
    );
  });
});

describe("a damaged checkpoint", () => {
  test("a missing tensor is named with the shape it should have", async () => {
    const path = await tiny({ omit: (name) => name === "model.norm.weight" });
    await expect(load(path, { backend })).rejects.toThrow(FormatError);
    await expect(load(path, { backend })).rejects.toThrow(/model\.norm\.weight.*\[32\]/);
  });

  test("a wrong shape is named with both shapes", async () => {
    const reshape = (name: string, shape: readonly number[]) =>
      name.endsWith("k_proj.weight") ? [shape[0] / 2, shape[1] * 2] : shape;
    await expect(load(await tiny({ reshape }), { backend })).rejects.toThrow(
      "tensor model.layers.0.self_attn.k_proj.weight: expected shape [32, 32] by config.json, " +
        "got [16, 64]",
    );
  });

  test.each([
    ["a matrix", "model.layers.1.mlp.down_proj.weight"],
    ["a norm", "model.layers.0.input_layernorm.weight"],
    ["the embedding", "model.embed_tokens.weight"],
  ])("NaN in %s is a NumericError with tensor and count", async (_, damaged) => {
    const edit = (name: string, values: Float32Array) => {
      if (name === damaged) values.fill(Number.NaN, 3, 6);
    };
    const path = await tiny({ edit });
    await expect(load(path, { backend })).rejects.toThrow(NumericError);
    await expect(load(path, { backend })).rejects.toThrow(`${damaged}`);
    await expect(load(path, { backend })).rejects.toThrow(/has 3 NaN/);
  });

  test("an unknown architecture is refused with the list of the known", async () => {
    const path = await tiny({ config: { model_type: "gpt_bigcode" } });
    await expect(load(path, { backend })).rejects.toThrow(UnsupportedError);
    await expect(load(path, { backend })).rejects.toMatchObject({ hint: /llama.*qwen3/ });
  });

  test("a missing tokenizer is a FormatError", async () => {
    const path = await tiny();
    await rm(join(path, "tokenizer.json"));
    await expect(load(path, { backend })).rejects.toThrow(/tokenizer\.json/);
  });

  test("loading stops when it is cancelled", async () => {
    const path = await tiny();
    const signal = AbortSignal.abort();
    await expect(load(path, { backend, signal })).rejects.toThrow(CancelledError);
  });
});
