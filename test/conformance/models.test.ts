import { beforeAll, describe, expect, test } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import type { LinearSlot } from "../../src/nn/linear.ts";
import { KvCache } from "../../src/nn/kv-cache.ts";
import { compareTokens, growTree } from "../../src/evaluation/token-tree.ts";
import { architectures, findArchitecture, readModelConfig } from "../../src/models/index.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { FormatError, UnsupportedError, UsageError } from "../../src/util/errors.ts";
import {
  idTensor,
  type LoadedCase,
  loadCase,
  modelCaseNames,
  readModelCase,
  windowLogits,
} from "../golden/model-cases.ts";
import { subjects } from "./subjects.ts";

const reference = subjects[0].open();

const familyOf = (name: string) => findArchitecture(readModelCase(name).config);

/** Feeds `ids` in pieces of the given lengths through a cache; logits of all positions. */
async function cachedLogits(
  { model, blocks }: LoadedCase,
  ids: readonly (readonly number[])[],
  pieces: readonly number[],
): Promise<Float32Array> {
  const { kvHeads, headDim, vocabularySize } = model.config;
  const length = ids[0].length;
  const cache = new KvCache(model.backend, {
    blocks: blocks.length,
    runs: model.config.blockRuns,
    batch: ids.length,
    kvHeads,
    headDim,
    capacity: pieces[0],
    maxCapacity: length,
  });
  const all = new Float32Array(ids.length * length * vocabularySize);
  for (const piece of pieces) {
    const position = cache.length;
    cache.reserve(piece);
    const rows = ids.map((row) => row.slice(position, position + piece));
    let hidden = model.embed(idTensor(model.backend, rows), { position });
    for (const block of blocks) {
      const next = model.forwardBlock(block, hidden, { position, cache: cache.layer(block.index) });
      if (next) hidden = next;
    }
    cache.advance(piece);
    const logits = await model
      .logits(hidden.reshape([rows.flat().length, model.hiddenSize]))
      .read();
    const run = piece * vocabularySize;
    for (let row = 0; row < ids.length; row++) {
      all.set(
        logits.subarray(row * run, (row + 1) * run),
        (row * length + position) * vocabularySize,
      );
    }
  }
  cache.release();
  return all;
}

/** Logits of every token of some texts, which go through the model as one tree. */
async function treeLogits(
  { model, blocks }: LoadedCase,
  texts: readonly Int32Array[],
): Promise<Float32Array[]> {
  const tree = growTree(model.backend, texts);
  let hidden = model.embed(idTensor(model.backend, [[...tree.ids]]), { position: 0, tree });
  for (const block of blocks) {
    hidden = model.forwardBlock(block, hidden, { position: 0, tree }) ?? hidden;
  }
  const rows = await model.logits(hidden.reshape([tree.ids.length, model.hiddenSize])).read();
  const { vocabularySize } = model.config;
  const logitsOf = (row: number) => [
    ...rows.subarray(row * vocabularySize, (row + 1) * vocabularySize),
  ];
  return tree.rows.map((places) => Float32Array.from([...places].flatMap(logitsOf)));
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}

describe.each(subjects)("$title", ({ missing, open }) => {
  if (missing) {
    test.skip(`skipped: ${missing}`, () => undefined);
    return;
  }
  const backend = open();

  describe.each(modelCaseNames)("%s", (name) => {
    const golden = readModelCase(name);
    let loaded: LoadedCase;
    let whole: Float32Array;
    beforeAll(async () => {
      loaded = await loadCase(backend, golden);
      whole = (await windowLogits(loaded, golden.ids).read()).slice();
    });

    test("logits are those of transformers to 1e-3", () => {
      const vocabulary = loaded.model.config.vocabularySize;
      for (const [row, ids] of golden.ids.entries()) {
        for (const [i, position] of golden.positions.entries()) {
          const start = (row * ids.length + position) * vocabulary;
          const found = whole.subarray(start, start + vocabulary);
          expect(largestDifference(found, golden.logits[row][i])).toBeLessThan(1e-3);
        }
      }
    });

    const { layers } = readModelConfig(golden.config);
    // Keys in a cache keep the angles of the length that they were made at, as in transformers.
    const turning = layers.some(({ rope }) => {
      const { scaling } = rope ?? {};
      return scaling?.kind === "longrope" && scaling.originalContext < golden.ids[0].length;
    });
    if (turning) {
      test.skip("skipped: passes of several lengths, of which angles change with the length", () =>
        undefined);
      return;
    }

    test("decoding through a cache that grows gives the logits of one pass", async () => {
      const oneByOne = await cachedLogits(
        loaded,
        golden.ids,
        golden.ids[0].map(() => 1),
      );
      expect(largestDifference(whole, oneByOne)).toBeLessThan(1e-4);
    });

    test("prefill in pieces gives the logits of one pass", async () => {
      const pieces = await cachedLogits(loaded, golden.ids, [5, 7, 1, 11]);
      expect(largestDifference(whole, pieces)).toBeLessThan(1e-4);
    });

    test("a batch of windows gives the logits of each window alone", async () => {
      const alone = await Promise.all(
        golden.ids.map(async (row) => [...(await windowLogits(loaded, [row]).read())]),
      );
      expect(largestDifference(whole, alone.flat())).toBeLessThan(1e-5);
    });

    test("texts that begin alike give, in one tree, the logits of each text alone", async () => {
      const [first = [], second = first.toReversed()] = golden.ids;
      const texts = [first, second, first.slice(0, 11).concat(second), first.slice(0, 14)]
        .concat([first.slice(0, 11).concat(second.slice(3, 5))])
        .map((ids) => Int32Array.from(ids))
        .sort(compareTokens);
      for (const [index, logits] of (await treeLogits(loaded, texts)).entries()) {
        const alone = await windowLogits(loaded, [[...texts[index]]]).read();
        expect(largestDifference(logits, alone)).toBeLessThan(1e-4);
      }
    });
  });
});

describe("a block that runs twice", () => {
  const shared = readModelCase("mobilellm-with-shared-layers");
  const plain = { ...shared, config: { ...shared.config, layer_sharing: false } };

  test("gives what two passes give, and shows its layers the inputs of both", async () => {
    const { model, blocks } = await loadCase(reference, shared);
    const once = await loadCase(reference, plain);
    const hidden = model.embed(idTensor(reference, shared.ids));
    const seen: (readonly [string, Float32Array])[] = [];
    const observe = (slot: LinearSlot, input: Tensor): void =>
      void seen.push([slot.name, (input.storage as Float32Array).slice()]);
    const expected: (readonly [string, Float32Array])[] = [];
    const note = (slot: LinearSlot, input: Tensor): void =>
      void expected.push([slot.name, (input.storage as Float32Array).slice()]);
    const run = (x: Tensor): Tensor<"f32"> =>
      once.model.forwardBlock(once.blocks[0], x, { position: 0, observe: note }) as Tensor<"f32">;
    const found = await model.forwardBlock(blocks[0], hidden, { position: 0, observe })?.read();
    expect(found).toEqual(await run(run(hidden)).read());
    expect(seen).toEqual(expected);
    expect(seen).toHaveLength(14);
  });

  test("stops at a stage of its last run", async () => {
    const { model, blocks } = await loadCase(reference, shared);
    const hidden = model.embed(idTensor(reference, shared.ids));
    const seen: string[] = [];
    const observe = ({ name }: LinearSlot): void => void seen.push(name);
    const pass = { position: 0, untilStage: "attentionOutput", observe };
    expect(model.forwardBlock(blocks[0], hidden, pass)).toBeNull();
    const names = blocks[0].slots.map(({ name }) => name);
    expect(seen).toEqual([...names, ...names.slice(0, 4)]);
  });

  test("is judged by what its parts read in both runs", async () => {
    const { model, blocks } = await loadCase(reference, shared);
    const once = await loadCase(reference, plain);
    const hidden = model.embed(idTensor(reference, shared.ids));
    const next = once.model.forwardBlock(once.blocks[0], hidden, { position: 0 });
    for (const part of ["attention", "mlp"] as const) {
      const found = model.partInputs(blocks[0], part, hidden);
      expect(found).toHaveLength(2);
      for (const [i, stream] of [hidden, next as Tensor<"f32">].entries()) {
        const [expected] = once.model.partInputs(once.blocks[0], part, stream);
        expect(await found[i].read()).toEqual(await expected.read());
      }
    }
  });

  test("needs a cache with a layer for each run", async () => {
    const { model, blocks } = await loadCase(reference, shared);
    const { kvHeads, headDim } = model.config;
    const cache = new KvCache(reference, { blocks: 2, kvHeads, headDim, capacity: 24 });
    const hidden = model.embed(idTensor(reference, [[...shared.ids[0]]]));
    const pass = { position: 0, cache: cache.layer(0) };
    expect(() => model.forwardBlock(blocks[0], hidden, pass)).toThrow(UsageError);
  });
});

describe("a block pass", () => {
  const backend = reference;
  const golden = readModelCase("qwen3");

  test("shows every slot its own input, in the order of the stages", async () => {
    const { model, blocks } = await loadCase(backend, golden);
    const hidden = model.embed(idTensor(backend, golden.ids));
    const seen: [string, readonly number[]][] = [];
    const observe = (slot: LinearSlot, input: Tensor): void => {
      seen.push([slot.name, input.shape]);
      expect(input.shape.at(-1)).toBe(slot.layer.inFeatures);
    };
    model.forwardBlock(blocks[0], hidden, { position: 0, observe });
    expect(seen.map(([name]) => name)).toEqual(blocks[0].slots.map((slot) => slot.name));
    expect(seen.map(([name]) => name)).toEqual(
      ["q", "k", "v", "o"]
        .map((p) => `self_attn.${p}_proj`)
        .concat(["gate", "up", "down"].map((p) => `mlp.${p}_proj`)),
    );
  });

  test.each(["attentionInput", "attentionOutput", "mlpInput", "mlpOutput"])(
    "stopped at stage %s shows the slots up to it and gives null",
    async (stage) => {
      const { model, blocks } = await loadCase(backend, golden);
      const hidden = model.embed(idTensor(backend, golden.ids));
      const seen: string[] = [];
      const result = model.forwardBlock(blocks[0], hidden, {
        position: 0,
        untilStage: stage,
        observe: (slot) => seen.push(slot.name),
      });
      expect(result).toBeNull();
      const stages = Object.entries(blocks[0].stages);
      const last = stages.findIndex(([name]) => name === stage);
      const expected = stages.slice(0, last + 1).flatMap(([, slots]) => slots);
      expect(seen).toEqual(expected.map((slot) => slot.name));
    },
  );

  test("keeps every input that it showed until it returns", async () => {
    const { model, blocks } = await loadCase(reference, golden);
    const hidden = model.embed(idTensor(reference, golden.ids));
    const shown: { input: Tensor; copy: Float32Array }[] = [];
    model.forwardBlock(blocks[0], hidden, {
      position: 0,
      observe: (_, input) => {
        for (const earlier of shown) expect(earlier.input.storage).toEqual(earlier.copy);
        shown.push({ input, copy: (input.storage as Float32Array).slice() });
      },
    });
    expect(shown).toHaveLength(7);
  });

  test("uses the layer that stands in the slot", async () => {
    const { model, blocks } = await loadCase(backend, golden);
    const hidden = model.embed(idTensor(backend, golden.ids));
    const [down] = blocks[0].stages.mlpOutput;
    const before = await model.forwardBlock(blocks[0], hidden, { position: 0 })?.read();
    const { inFeatures, outFeatures } = down.layer;
    let input: Float32Array | null = null;
    down.layer = {
      inFeatures,
      outFeatures,
      forward: (x) => {
        input = x.storage as Float32Array;
        return Tensor.zeros(backend, "f32", [...x.shape.slice(0, -1), outFeatures]);
      },
    };
    const after = await model.forwardBlock(blocks[0], hidden, { position: 0 })?.read();
    expect(input).not.toBeNull();
    expect(after).not.toEqual(before);
  });

  test("leaves no memory behind but its result", async () => {
    const live = new Set<object>();
    const counting: Backend = {
      ...backend,
      allocate: (dtype, length) => {
        const storage = backend.allocate(dtype, length);
        live.add(storage);
        return storage;
      },
      release: (storage) => {
        live.delete(storage);
        backend.release(storage);
      },
    };
    const { model, blocks } = await loadCase(counting, golden);
    const hidden = model.embed(idTensor(counting, golden.ids));
    const result = model.forwardBlock(blocks[0], hidden, { position: 0 });
    expect(live).toEqual(new Set([hidden.storage, result?.storage]));
  });
});

describe("what a config says changes the logits", () => {
  /** Golden models with fields whose other value makes another model of them. */
  const changes: readonly (readonly [string, Record<string, unknown>])[] = [
    ["llama-linear-rope", { rope_scaling: null }],
    ["llama-llama3-rope", { rope_scaling: null }],
    ["llama-llama3-rope-parameters", { rope_parameters: { rope_theta: 5000 } }],
    ["llama", { rope_theta: 20000 }],
    ["llama-gelu", { hidden_act: "silu" }],
    ["llama-gelu-tanh", { hidden_act: "silu" }],
    ["llama-biases", { attention_bias: false }],
    ["llama-biases", { mlp_bias: false }],
    ["mistral-window", { sliding_window: null }],
    ["qwen2-window-layers", { use_sliding_window: false }],
    ["qwen2-window-layers", { max_window_layers: 2 }],
    ["qwen2-layer-types", { layer_types: ["full_attention", "sliding_attention"] }],
    ["qwen3-biases-window", { max_window_layers: 1 }],
    ["smollm3-no-rope-layers", { no_rope_layers: [1, 1, 1] }],
    ["smollm3-interval-window", { use_sliding_window: false }],
    ["gemma", { hidden_act: "silu" }],
    ["gemma-biases", { hidden_act: undefined, hidden_activation: "silu" }],
    ["gemma", { rms_norm_eps: 0.5 }],
    ["gemma2", { query_pre_attn_scalar: 16 }],
    ["gemma2", { hidden_activation: "silu" }],
    ["gemma2", { attn_logit_softcapping: null }],
    ["gemma2", { final_logit_softcapping: null }],
    ["gemma2", { sliding_window: 12 }],
    ["gemma2-no-caps", { layer_types: null }],
    ["gemma3", { sliding_window_pattern: 3 }],
    ["gemma3-cap", { _sliding_window_pattern: 2 }],
    ["gemma3", { query_pre_attn_scalar: 16 }],
    ["gemma3", { hidden_activation: "silu" }],
    ["gemma3", { rope_local_base_freq: 10000 }],
    ["gemma3", { rope_theta: 10000 }],
    ["gemma3", { rope_scaling: null }],
    ["gemma3-rope-parameters", { rope_parameters: null }],
    ["gemma3-cap", { final_logit_softcapping: null }],
    ["gemma3-cap", { attention_bias: false }],
    ["opt", { activation_function: "gelu" }],
    ["opt", { enable_bias: false }],
    ["opt", { do_layer_norm_before: false }],
    ["opt", { _remove_final_layer_norm: true }],
    ["opt-behind-narrow", { word_embed_proj_dim: 32 }],
    ["opt", { ffn_dim: 40 }],
    ["gpt2", { scale_attn_weights: false }],
    ["gpt2", { n_embd: 16 }],
    ["gpt2", { n_layer: 1 }],
    ["gpt2", { n_head: 2 }],
    ["gpt2", { n_inner: 40 }],
    ["gpt2", { activation_function: "relu" }],
    ["gpt2-no-scale", { layer_norm_epsilon: 1e-5 }],
    ["gpt-neox", { use_parallel_residual: false }],
    ["gpt-neox", { rotary_pct: 0.25 }],
    ["gpt-neox", { rotary_emb_base: 10000 }],
    ["gpt-neox", { attention_bias: false }],
    ["gpt-neox-linear-rope", { layer_norm_eps: 1e-5 }],
    ["gpt-neox-linear-rope", { rope_scaling: null }],
    ["phi", { partial_rotary_factor: 0.5 }],
    ["phi", { hidden_act: "relu" }],
    ["phi-qk-norm", { qk_layernorm: false }],
    ["phi-qk-norm", { layer_norm_eps: 1e-5 }],
    ["phi3", { sliding_window: null }],
    ["phi3-longrope", { original_max_position_embeddings: 16 }],
    ["phi3-longrope", { rope_scaling: null }],
    ["phi3-longrope-beyond", { original_max_position_embeddings: 64 }],
    ["granite", { embedding_multiplier: 1 }],
    ["granite", { attention_multiplier: 0.25 }],
    ["granite", { residual_multiplier: 1 }],
    ["granite", { logits_scaling: 1 }],
    ["granite-biases", { mlp_bias: false }],
    ["olmo2", { rope_theta: 10000 }],
    ["olmo2-biases", { attention_bias: false }],
    ["starcoder2", { sliding_window: null }],
    ["starcoder2", { use_bias: false }],
    ["starcoder2-no-biases", { norm_epsilon: 1e-5 }],
    ["mobilellm", { share_embedding: false }],
    ["mobilellm", { layer_sharing: true }],
    ["mixtral", { num_experts_per_tok: 1 }],
    ["mixtral", { num_local_experts: 3 }],
    ["mixtral-window", { sliding_window: null }],
    ["qwen2-moe", { norm_topk_prob: true }],
    ["qwen2-moe", { num_experts_per_tok: 3 }],
    ["qwen2-moe", { num_experts: 3 }],
    ["qwen2-moe", { moe_intermediate_size: 24 }],
    ["qwen2-moe-steps", { qkv_bias: true }],
    ["qwen2-moe-steps", { use_sliding_window: false }],
    ["qwen2-moe-steps", { max_window_layers: 1 }],
    ["qwen2-moe-steps", { decoder_sparse_step: 1 }],
    ["qwen2-moe-steps", { mlp_only_layers: [] }],
    ["qwen2-moe-steps", { shared_expert_intermediate_size: 24 }],
    ["qwen3-moe-every", { norm_topk_prob: false }],
    ["qwen3-moe-every", { num_experts: 4 }],
    ["qwen3-moe-every", { moe_intermediate_size: 24 }],
    ["qwen3-moe-every", { num_experts_per_tok: 2 }],
    ["qwen3-moe-every", { decoder_sparse_step: 2 }],
    ["qwen3-moe-steps", { mlp_only_layers: [] }],
    ["qwen3-moe-steps", { num_local_experts: 2 }],
    ["qwen3-moe-steps", { attention_bias: false }],
    ["qwen3-moe-steps", { sliding_window: 9 }],
    ["olmoe", { norm_topk_prob: true }],
    ["olmoe-normalized", { num_experts_per_tok: 1 }],
    ["olmoe-normalized", { num_experts: 2 }],
    ["cohere", { logit_scale: 1 }],
    ["cohere-qk-norm", { use_qk_norm: false }],
    ["cohere-biases", { layer_norm_eps: 1e-5 }],
    ["cohere-biases", { attention_bias: false }],
    ["stablelm", { use_qkv_bias: false }],
    ["stablelm", { use_parallel_residual: true }],
    ["stablelm", { partial_rotary_factor: 1 }],
    ["stablelm", { rope_theta: 10000 }],
    ["stablelm-parallel", { qk_layernorm: false }],
    ["stablelm-parallel", { layer_norm_eps: 1e-5 }],
    ["stablelm-parallel", { rope_parameters: null }],
    ["stablelm-qk-norm", { hidden_act: "silu" }],
    ["nemotron", { hidden_act: "relu" }],
    ["nemotron", { rope_theta: 10000 }],
    ["nemotron", { partial_rotary_factor: 1 }],
    ["nemotron-biases", { norm_eps: 1e-5 }],
    ["nemotron-biases", { attention_bias: false }],
    ["nemotron-biases", { mlp_bias: false }],
  ];

  test.each(changes)("%s is not the model with %o", async (name, changed) => {
    const golden = readModelCase(name);
    const config = { ...golden.config, ...changed };
    const loaded = await loadCase(reference, { dtype: golden.dtype, config });
    const logits = await windowLogits(loaded, golden.ids).read();
    const vocabulary = loaded.model.config.vocabularySize;
    const last = logits.subarray(logits.length - vocabulary);
    const expected = golden.logits.at(-1)?.at(-1) ?? [];
    expect(largestDifference(last, expected)).toBeGreaterThan(0.01);
  });

  // The context of a GPT-2 says how many positions there are, and nothing else.
  const without = new Set(["n_positions"]);

  test.each(architectures.map(({ modelType }) => modelType))(
    "each field that only %s has is among these",
    (modelType) => {
      const models = modelCaseNames.filter((name) => familyOf(name).modelType === modelType);
      const own = models.flatMap((name) => [...(familyOf(name).reads ?? [])].filter(isRead(name)));
      const changed = changes
        .filter(([name]) => familyOf(name).modelType === modelType)
        .flatMap(([, fields]) => Object.keys(fields));
      expect([...new Set(own)].filter((field) => !changed.includes(field))).toEqual([]);
    },
  );

  /** Whether a field has a meaning: what is no value of it is a fault, and none is refused. */
  function isRead(name: string): (field: string) => boolean {
    const { config } = readModelCase(name);
    const errorOf = (fields: Record<string, unknown>): unknown => {
      try {
        return readModelConfig({ ...config, ...fields });
      } catch (error) {
        return error;
      }
    };
    return (field) =>
      !without.has(field) &&
      errorOf({ [field]: { not: "a value" } }) instanceof FormatError &&
      !(errorOf({ [field]: true }) instanceof UnsupportedError);
  }
});

test("embedding and head can be released and read again", async () => {
  const backend = reference;
  const golden = readModelCase("llama");
  const loaded = await loadCase(backend, golden);
  const before = await windowLogits(loaded, golden.ids).read();
  loaded.model.releaseEmbeddingAndHead();
  expect(() => loaded.model.embed(idTensor(backend, golden.ids))).toThrow(/loadEmbeddingAndHead/);
  await loaded.model.loadEmbeddingAndHead();
  expect(await windowLogits(loaded, golden.ids).read()).toEqual(before);
});

test.each(["gpt2", "opt"])("%s refuses positions that it has not learned", async (name) => {
  const loaded = await loadCase(reference, readModelCase(name));
  const { contextLength } = loaded.model.config;
  const ids = (length: number): number[][] => [Array.from({ length }, (_, i) => i % 7)];
  expect(windowLogits(loaded, ids(contextLength)).shape[0]).toBe(contextLength);
  const beyond = (): Tensor => windowLogits(loaded, ids(contextLength + 1));
  expect(beyond).toThrow(UsageError);
  expect(beyond).toThrow("65 tokens are more than the 64 positions");
  expect(() => loaded.model.embed(idTensor(reference, [[1]]), { position: contextLength })).toThrow(
    UsageError,
  );
});
