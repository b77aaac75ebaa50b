import { afterEach, describe, expect, test } from "vitest";
import type { Products } from "../../src/backend/packed-operand.ts";
import { openGgufFile } from "../../src/formats/gguf/gguf-file.ts";
import { exportCheckpoint, load, UnsupportedError } from "../../src/index.ts";
import { findArchitecture, readModelConfig } from "../../src/models/index.ts";
import { temporaryFolder } from "../e2e/shared-models.ts";
import { hasComputedWindows, writableChanges } from "../fixtures/gguf-changes.ts";
import { spellWithSpaces } from "../fixtures/spell-with-spaces.ts";
import { modelCaseNames, readModelCase } from "../golden/model-cases.ts";
import {
  type TinyCheckpoint,
  type TinyCheckpointOptions,
  writeTinyCheckpoint,
} from "../golden/tiny-checkpoint.ts";
import { llamaAbsent } from "../llama-cpp/llama-addon.ts";
import { LlamaCpp } from "../llama-cpp/llama-cpp.ts";

/*
 * Files of every family in llama.cpp, against the logits that they have here. llama.cpp looks GELU
 * up in a table of float16, which rounds it by up to 2⁻¹¹; it rounds inputs of packed layers to 8
 * bits, as fewbit's fast products do.
 */

const inFolder = temporaryFolder();
let checkpoint: TinyCheckpoint | null = null;
afterEach(async () => {
  await checkpoint?.remove();
  checkpoint = null;
});

/** Writes a tiny model as a GGUF file; null where llama.cpp cannot hold it. */
async function written(
  modelCase: string,
  options: TinyCheckpointOptions,
  type?: string,
): Promise<string | null> {
  checkpoint = await writeTinyCheckpoint({ modelCase, ...options, fitting: true });
  spellWithSpaces(checkpoint.path);
  const out = inFolder(`${modelCase}-${options.scheme ?? ""}-${type ?? ""}.gguf`);
  try {
    await exportCheckpoint(checkpoint.path, { format: "gguf", type, out });
    return out;
  } catch (error) {
    if (error instanceof UnsupportedError) return null;
    throw error;
  }
}

async function logitsHere(path: string, ids: readonly number[], products: Products) {
  const model = await load(path);
  const hidden = model.hiddenStates(model.tokens([ids]), { products });
  const rows = hidden.reshape([ids.length, model.config.hiddenSize]);
  const logits = await model.logits(rows, products).read();
  model.release();
  return logits;
}

async function logitsThere(path: string, ids: readonly number[]): Promise<Float32Array> {
  await using llama = await LlamaCpp.open(path, { exactAttention: true });
  return Float32Array.from((await llama.logits(ids)).flatMap((row) => [...row]));
}

/** `√(Σ(a − b)² / Σa²)` */
function relativeDistance(a: Float32Array, b: Float32Array): number {
  const squares = a.reduce((sum, x) => sum + x * x, 0);
  return Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]) ** 2, 0) / squares);
}

const computed = modelCaseNames.filter(
  (name) => findArchitecture(readModelCase(name).config).gguf !== null && hasComputedWindows(name),
);

describe.skipIf(llamaAbsent !== "")(`in float32${llamaAbsent}`, () => {
  const compared: string[] = [];

  test.each(computed)("%s has the same logits", async (name) => {
    const { [name]: config = {} } = writableChanges;
    const path = await written(name, { config }, "f32");
    if (path === null) return;
    compared.push(name);
    const { activation } = readModelConfig({ ...readModelCase(name).config, ...config });
    const [ids] = readModelCase(name).ids;
    const here = await logitsHere(path, ids, "exact");
    const distance = relativeDistance(here, await logitsThere(path, ids));
    expect(distance).toBeLessThan(activation.startsWith("gelu") ? 2 ** -10 : 2 ** -18);
  });

  test("every family that llama.cpp has is among them", () => {
    const typeOf = (name: string): unknown => readModelCase(name).config["model_type"];
    const kinds = modelCaseNames.filter(
      (name) => findArchitecture(readModelCase(name).config).gguf !== null,
    );
    // Their models have windows, or blocks without positions.
    const without = new Set(["ministral", "smollm3"]);
    const expected = new Set(kinds.map(typeOf).filter((type) => !without.has(String(type))));
    expect(new Set(compared.map(typeOf))).toEqual(expected);
  });
});

/** Widths of whole blocks of every type. */
const width = 256;
const wide = {
  hidden_size: width,
  intermediate_size: width,
  num_attention_heads: 4,
  num_key_value_heads: 4,
};
/** Fields of mixtures, whose tokens go to all experts: none is sent elsewhere by rounding. */
const mixtures: Readonly<Record<string, Record<string, unknown>>> = {
  mixtral: { ...wide, num_experts_per_tok: 4 },
  "qwen2-moe": {
    ...wide,
    moe_intermediate_size: width,
    shared_expert_intermediate_size: width,
    num_experts_per_tok: 4,
  },
  "qwen3-moe-every": {
    ...wide,
    head_dim: 64,
    moe_intermediate_size: width,
    num_experts_per_tok: 6,
  },
  olmoe: { ...wide, num_experts_per_tok: 4 },
};
const gelus: Readonly<Record<string, Record<string, unknown>>> = {
  gpt2: { n_embd: width, n_inner: width },
  "gpt-neox": wide,
  phi: wide,
  starcoder2: wide,
  gemma: { ...wide, head_dim: 64 },
  gemma2: { ...wide, head_dim: 64, query_pre_attn_scalar: 64 },
  gemma3: { ...wide, head_dim: 64, query_pre_attn_scalar: 64 },
};

/** Compares what rounding inputs does in llama.cpp with what it does here. */
async function expectAsRounded(path: string | null, ids: readonly number[]): Promise<void> {
  if (path === null) throw new Error("llama.cpp cannot hold it");
  const exact = await logitsHere(path, ids, "exact");
  const rounded = relativeDistance(exact, await logitsHere(path, ids, "fast"));
  const there = relativeDistance(exact, await logitsThere(path, ids));
  expect(rounded).toBeGreaterThan(1e-3);
  expect(there).toBeLessThan(2 * rounded);
}

describe.skipIf(llamaAbsent !== "")(
  `packed, as far from exact as rounding inputs${llamaAbsent}`,
  () => {
    test.each([
      ["w1", "q1_0"],
      ["w1.58", "tq1_0"],
      ["w1.58", "tq2_0"],
      ["w1.58", "q2_0"],
      ["w2-seq", "q2_k"],
      ["w3-sym", "q3_k"],
      ["w4", "q4_k"],
      ["w4-sym", "q4_0"],
      ["w4-sym", "q4_1"],
      ["w4g64", "q5_0"],
      ["w8-sym", "q8_0"],
    ])("stacked experts of the scheme %s as %s", async (scheme, type) => {
      const config = mixtures["mixtral"];
      const path = await written("mixtral", { config, scheme }, type);
      await expectAsRounded(path, readModelCase("mixtral").ids[0]);
      expect(await typesOf(path ?? "")).toContain(`blk.0.ffn_down_exps.weight ${type} 4x256x256`);
    });

    test.each(["q5_1", "q5_k", "q6_k", "Q4_K_M"])("stacked experts, chosen as %s", async (type) => {
      const path = await written("mixtral", { config: mixtures["mixtral"] }, type);
      await expectAsRounded(path, readModelCase("mixtral").ids[0]);
    });

    test.each(Object.entries({ ...mixtures, ...gelus }))("%s as Q4_0", async (name, fields) => {
      const config = { ...writableChanges[name], ...fields };
      const path = await written(name, { config, scheme: "w4-sym" });
      await expectAsRounded(path, readModelCase(name).ids[0]);
    });
  },
);

/** `NAME TYPE SHAPE` of all tensors of a file. */
async function typesOf(path: string): Promise<string[]> {
  const file = await openGgufFile(path);
  await file.close();
  return [...file.tensors.values()].map(
    ({ name, type, shape }) => `${name} ${type.name} ${shape.join("x")}`,
  );
}
