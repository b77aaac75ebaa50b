import { afterEach, describe, expect, test } from "vitest";
import {
  type TinyCheckpointOptions,
  writeTinyCheckpoint,
} from "../../test/golden/tiny-checkpoint.ts";
import { FormatError, UnsupportedError } from "../util/errors.ts";
import { type ModelCheckpoint, openModelCheckpoint } from "./model-checkpoint.ts";

const removals: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const remove of removals.splice(0)) await remove();
});

const table = [72, 32] as const;

async function open(options: TinyCheckpointOptions): Promise<ModelCheckpoint> {
  const { path, remove } = await writeTinyCheckpoint(options);
  removals.push(remove);
  const opened = await openModelCheckpoint(path);
  removals.unshift(() => opened.checkpoint.close());
  return opened;
}

async function failure(options: TinyCheckpointOptions): Promise<FormatError | UnsupportedError> {
  try {
    await open(options);
  } catch (error) {
    if (error instanceof FormatError || error instanceof UnsupportedError) return error;
    throw error;
  }
  throw new Error("the checkpoint was opened");
}

describe("embedding and head", () => {
  const tied = { modelCase: "llama-tied-multi-head" };

  test("are tied where config.json says so and there is one table", async () => {
    const { config, notices, checkpoint } = await open(tied);
    expect(config.tiedEmbeddings).toBe(true);
    expect(notices).toEqual([]);
    expect(checkpoint.has("lm_head.weight")).toBe(false);
  });

  test("are two where a head of its own is stored, whatever config.json says", async () => {
    const { config, notices, checkpoint } = await open({
      ...tied,
      extra: { "lm_head.weight": table },
    });
    expect(config.tiedEmbeddings).toBe(false);
    expect(checkpoint.has("lm_head.weight")).toBe(true);
    expect(checkpoint.config.tie_word_embeddings).toBe(false);
    expect(notices.join()).toMatch(/output head of its own \(lm_head.weight\)/);
  });

  test("are tied where the stored head repeats the embedding", async () => {
    const fill = (name: string, values: Float32Array): void => {
      if (/lm_head|embed/.test(name)) for (const i of values.keys()) values[i] = (i % 7) / 8;
    };
    const { config, notices, checkpoint, unused } = await open({
      ...tied,
      extra: { "lm_head.weight": table },
      edit: fill,
    });
    expect(config.tiedEmbeddings).toBe(true);
    expect(notices).toEqual([]);
    expect(checkpoint.has("lm_head.weight")).toBe(false);
    expect(unused).toEqual(new Set(["lm_head.weight"]));
  });

  test("are one head where only that is stored", async () => {
    const { config, checkpoint, unused } = await open({
      ...tied,
      rename: (name) => (name === "model.embed_tokens.weight" ? "lm_head.weight" : name),
    });
    expect(config.tiedEmbeddings).toBe(true);
    expect(checkpoint.has("model.embed_tokens.weight")).toBe(true);
    expect(unused.size).toBe(0);
  });
});

describe("names", () => {
  test.each([
    ["of a base model", (name: string) => name.replace(/^model\./, "")],
    ["of a base model within a base model", (name: string) => `model.${name}`],
    ["of a wrapped model", (name: string) => `module.${name}`],
  ])("%s are found", async (_, rename) => {
    const { checkpoint, unused } = await open({ modelCase: "llama", rename });
    expect(checkpoint.has("model.layers.1.self_attn.q_proj.weight")).toBe(true);
    expect(checkpoint.has("lm_head.weight")).toBe(true);
    expect(unused.size).toBe(0);
  });

  test("that begin otherwise are a FormatError that says how", async () => {
    const error = await failure({ rename: (name) => `language_model.${name}` });
    expect(error.message).toMatch(/begin with "language_model.model."/);
  });

  test("of other programs are a FormatError that shows some", async () => {
    const error = await failure({
      rename: (name) => name.replace("model.embed_tokens", "tok_embeddings"),
    });
    expect(error.message).toMatch(/no tensor "model.embed_tokens.weight": .*"tok_embeddings/);
    const fused = await failure({ rename: (name) => name.replace("q_proj", "qkv_proj") });
    expect(fused.message).toMatch(/no tensor "model.layers.0.self_attn.q_proj.weight": .*qkv_proj/);
  });

  test("that stand for the same tensor are a FormatError", async () => {
    const error = await failure({ extra: { "norm.weight": [32] } });
    expect(error.message).toMatch(/both stand for "model.norm.weight"/);
  });
});

describe("tensors that the model does not use", () => {
  test("are left out and named", async () => {
    const { checkpoint, stored, notices } = await open({
      extra: {
        "v_head.summary.weight": [1, 32],
        logit_scale: [1],
        "model.layers.0.self_attn.q_proj.bias": [32],
        "model.layers.0.self_attn.rotary_emb.inv_freq": [4],
      },
    });
    expect(notices).toHaveLength(2);
    expect(notices.join()).toContain('"model.layers.0.self_attn.q_proj.bias"');
    expect(notices.join()).toContain('"v_head.summary.weight"');
    expect(notices.join()).not.toContain("inv_freq");
    expect([...checkpoint.tensors.keys()].join()).not.toMatch(/v_head|bias|inv_freq/);
    expect(stored.has("v_head.summary.weight")).toBe(true);
  });

  test.each([
    "model.layers.0.self_attn.q_proj.lora_A.weight",
    "base_model.model.model.layers.0.mlp.up_proj.lora_B.default.weight",
    "model.layers.0.mlp.up_proj.base_layer.weight",
  ])("are an error where they are of an adapter: %s", async (name) => {
    const error = await failure({ extra: { [name]: [4, 4] } });
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(error.message).toContain("adapter");
    expect(error.hint).toContain("merge");
  });

  test.each([
    "model.layers.0.self_attn.q_proj.weight_scale_inv",
    "model.layers.0.self_attn.q_proj.weight_scale",
    "model.layers.0.mlp.down_proj.qweight",
    "model.layers.0.mlp.down_proj.weight.absmax",
    "model.layers.0.mlp.down_proj.weight.quant_state.bitsandbytes__nf4",
    "model.layers.0.mlp.down_proj.SCB",
    "model.layers.0.mlp.down_proj.codes",
    "lm_head.scales",
    "model.layers.0.mlp.experts.scales",
  ])("are an error where they say that weights are packed: %s", async (name) => {
    const error = await failure({ extra: { [name]: [4, 4] } });
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(error.message).toContain(name);
  });
});

test.each([
  [1, /num_hidden_layers is 1, but the checkpoint has 2 blocks/],
  [3, /num_hidden_layers is 3, but the checkpoint has 2 blocks/],
])("a config that counts %i of 2 blocks is a FormatError", async (blocks, message) => {
  const error = await failure({ config: { num_hidden_layers: blocks } });
  expect(error).toBeInstanceOf(FormatError);
  expect(error.message).toMatch(message);
});

test("special tokens that the model does not have are named, with their file", async () => {
  const { notices } = await open({
    config: { bos_token_id: 128_000 },
    generationConfig: { eos_token_id: [1, 128_001] },
  });
  expect(notices).toHaveLength(2);
  expect(notices.join()).toMatch(/config.json: bos_token_id 128000 is not among the 72 tokens/);
  expect(notices.join()).toMatch(/generation_config.json: eos_token_id 128001 is not/);
});

test("window fields of a model that has no windows are named", async () => {
  const { notices } = await open({ config: { sliding_window: 8 } });
  expect(notices.join()).toMatch(/sliding_window 8 means nothing to a llama/);
});
