import { expect, test } from "vitest";
import { modelCaseNames, readModelCase } from "../../../test/golden/model-cases.ts";
import { describeEmbeddingAndHead, describeLinears, expectedTensors } from "../decoder-tensors.ts";
import { readModelConfig } from "../index.ts";
import { readGenericConfig } from "./generic-config.ts";
import { judgeTensors } from "./judge-tensors.ts";
import type { JudgedTensor } from "./judged-tensor.ts";

/** Judges tensors by their shapes; float32 unless `dtype` says otherwise. */
function judge(
  shapes: Readonly<Record<string, readonly number[]>>,
  config: Readonly<Record<string, unknown>> = {},
  dtype = "f32",
): Map<string, JudgedTensor> {
  const tensors = Object.entries(shapes).map(([name, shape]) => ({ name, shape, dtype }));
  const json = { model_type: "novel", hidden_size: 64, vocab_size: 128, ...config };
  return new Map(judgeTensors(tensors, readGenericConfig(json)).map((each) => [each.name, each]));
}

/** Judges one tensor of the first block, beside an expert if there are any. */
function reasonOf(slot: string, shape: readonly number[], config = {}): string | null | undefined {
  const name = `model.layers.0.${slot}`;
  return judge({ [name]: shape }, config).get(name)?.reason;
}

test.each(modelCaseNames)("%s: what looks like a linear layer is one, and all of them", (name) => {
  const { config: json } = readModelCase(name);
  const config = readModelConfig(json);
  const tensors = [...expectedTensors(config)].map(([tensor, shape]) => ({
    name: tensor,
    shape,
    dtype: "bf16",
  }));
  const judged = judgeTensors(tensors, readGenericConfig(json));
  const found = judged
    .filter(({ reason }) => reason === null)
    .map(({ matrix }) => matrix)
    .toSorted((a, b) => (a?.block ?? 0) - (b?.block ?? 0));
  // What it looks like does not say which layers are of one expert.
  const known = describeLinears(config).map(({ module, block, slot, outFeatures, inFeatures }) => ({
    module,
    block,
    slot,
    outFeatures,
    inFeatures,
    stack: null,
  }));
  expect(new Set(found)).toEqual(new Set(known));
  const tables = judged
    .filter(({ roles }) => roles.length > 0)
    .map(({ name: tensor, roles, shape: [outFeatures, inFeatures] }) => ({
      module: tensor.replace(/\.weight$/, ""),
      roles,
      outFeatures,
      inFeatures,
    }));
  expect(tables).toEqual(describeEmbeddingAndHead(config));
});

test.each<[slot: string, shape: number[], reason: string | null]>([
  ["attn.qkv.weight", [192, 64], null],
  ["attn.relative_attention_bias.weight", [32, 8], "bias"],
  ["attn.q_norm.weight", [8, 16], "norm"],
  ["ln_2.weight", [16, 16], "norm"],
  ["attn.qkv.bias", [192], "vector"],
  ["mixer.conv1d.weight", [64, 1, 4], "3 dimensions"],
  ["mixer.conv2d.weight", [64, 1, 4, 4], "4 dimensions"],
  ["mixer.A_log", [64, 16], "not a weight by its name"],
  ["attn.c_attn.weight", [64, 192], "stored as [in, out]"],
  ["attn.c_attn.weight", [192, 64], null],
  ["attn.head_gate.weight", [4, 64], "a side below 8"],
  ["vision_expert.up.weight", [96, 64], "tower for images or sound"],
  ["embed_tokens.weight", [128, 64], "table or head"],
  ["shared_head.head.weight", [128, 64], "table or head"],
  ["time_mix.gate.weight", [64, 64], null],
])("%s of shape %j: %s", (slot, shape, reason) => {
  expect(reasonOf(slot, shape)).toBe(reason);
});

test("a gate beside experts is their router, and one inside an expert is a layer", () => {
  const experts = { num_experts: 16 };
  expect(reasonOf("mlp.gate.weight", [16, 64], experts)).toBe("router of experts");
  expect(reasonOf("mlp.gate.weight", [16, 64])).toBeNull();
  expect(reasonOf("mlp.experts.0.gate.weight", [24, 64], experts)).toBeNull();
  expect(reasonOf("mlp.router.layer.weight", [16, 64])).toBe("router of experts");
  expect(reasonOf("mlp.shared_expert_gate.weight", [1, 64])).toBe("router of experts");
});

test("other dtypes than floats of 16 or 32 bits are no layers", () => {
  const name = "model.layers.0.up.weight";
  expect(judge({ [name]: [96, 64] }, {}, "f8_e4m3").get(name)?.reason).toBe("F8_E4M3 values");
  expect(judge({ [name]: [96, 64] }, {}, "bf16").get(name)?.reason).toBeNull();
});

test("around the blocks only tables of the vocabulary have a role, and padded ones too", () => {
  const judged = judge({
    "model.embed_tokens.weight": [192, 64],
    "model.embed_positions.weight": [256, 64],
    "model.project_in.weight": [64, 32],
    "output.weight": [128, 64],
    "visual.patch_embed.weight": [128, 64, 2, 2],
  });
  expect(judged.get("model.embed_tokens.weight")?.roles).toEqual(["embedding"]);
  expect(judged.get("model.embed_positions.weight")).toMatchObject({ roles: [], matrix: null });
  expect(judged.get("model.project_in.weight")?.reason).toBe("outside the blocks");
  expect(judged.get("output.weight")?.roles).toEqual(["head"]);
});

test("without a head of its own, the embedding is the head", () => {
  const [tied] = judge({ "model.embed_tokens.weight": [128, 64] }).values();
  expect(tied.roles).toEqual(["embedding", "head"]);
});

test("the sides of stacked experts are told by the hidden width, one stack by the other", () => {
  const up = "model.layers.0.mlp.experts.gate_up_proj";
  const down = "model.layers.0.mlp.experts.down_proj";
  const sidesOf = (upShape: number[], downShape: number[]) => {
    const judged = judge({ [up]: upShape, [down]: downShape });
    return [up, down].map((name) => {
      const { outFeatures, inFeatures, stack } = judged.get(name)?.matrix ?? {};
      return [outFeatures, inFeatures, stack];
    });
  };
  const turned = { matrices: 4, transposed: true };
  const straight = { matrices: 4, transposed: false };
  expect(sidesOf([4, 80, 64], [4, 64, 40])).toEqual([
    [80, 64, straight],
    [64, 40, straight],
  ]);
  expect(sidesOf([4, 64, 80], [4, 40, 64])).toEqual([
    [80, 64, turned],
    [64, 40, turned],
  ]);
  // The widths inside are those of the hidden state: only the other stack tells.
  expect(sidesOf([4, 64, 128], [4, 64, 64])).toEqual([
    [128, 64, turned],
    [64, 64, turned],
  ]);
});

test("stacked experts whose sides contradict each other, or are no widths, are kept", () => {
  const up = "model.layers.0.mlp.experts.up_proj";
  const down = "model.layers.0.mlp.experts.down_proj";
  for (const shapes of [
    { [up]: [4, 80, 64], [down]: [4, 40, 64] },
    { [up]: [4, 80, 32], [down]: [4, 32, 40] },
  ]) {
    for (const { matrix, reason } of judge(shapes).values()) {
      expect(matrix).toBeNull();
      expect(reason).toContain("which side is the input is not known");
    }
  }
});

test("blocks are numbered in the order of their numbers, whatever that of the file", () => {
  const shapes = ["10", "2", "1"].map((i) => [`h.${i}.up.weight`, [96, 64]] as const);
  const judged = judge(Object.fromEntries(shapes));
  expect([...judged.values()].map(({ matrix }) => matrix?.block)).toEqual([2, 1, 0]);
});

test("sizes come from the language model where config.json describes several parts", () => {
  const text = { hidden_size: 64, vocab_size: 128, num_local_experts: 8 };
  const vision = { hidden_size: 32, num_experts_per_tok: 2 };
  const json = { model_type: "pair", text_config: text, vision_config: vision, hidden_size: 16 };
  expect(readGenericConfig(json)).toEqual({
    modelType: "pair",
    title: "pair",
    hiddenSize: 64,
    vocabularySize: 128,
    experts: [8],
  });
});
