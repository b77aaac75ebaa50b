import { afterEach, describe, expect, test } from "vitest";
import { exportCheckpoint, type LanguageModel, load } from "../../src/index.ts";
import { findArchitecture } from "../../src/models/index.ts";
import { modelCaseNames, readModelCase } from "../golden/model-cases.ts";
import { writableChanges } from "../fixtures/gguf-changes.ts";
import { spellWithSpaces } from "../fixtures/spell-with-spaces.ts";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";
import { temporaryFolder } from "./shared-models.ts";

const inFolder = temporaryFolder();
let checkpoint: TinyCheckpoint | null = null;
afterEach(async () => {
  await checkpoint?.remove();
  checkpoint = null;
});

async function logitsOf(model: LanguageModel, ids: readonly number[]): Promise<Float32Array> {
  const hidden = model.hiddenStates(model.tokens([ids]));
  return model.logits(hidden.reshape([ids.length, model.config.hiddenSize])).read();
}

/** Families that are written as GGUF files. */
const written = modelCaseNames.filter((name) => findArchitecture(readModelCase(name).config).gguf);
/** Golden models that llama.cpp does not compute or load, by what their refusal names. */
const refused: Readonly<Record<string, string>> = {
  "llama-gelu": "`activation`",
  "llama-gelu-tanh": "`activation`",
  "smollm3-interval-window": "rotated by positions",
  "smollm3-no-rope-layers": "rotated by positions",
  "gemma-biases": "`tie_word_embeddings`",
  gemma2: "`attentionScale`",
  "gemma2-defaults": "`tie_word_embeddings`",
  "gemma2-no-caps": "`tie_word_embeddings`",
  gemma3: "`attentionScale`",
  "gemma3-cap": "biases",
  "gemma3-rope-parameters": "`attentionScale`",
  "gpt2-no-scale": "`activation`",
  "gpt-neox-sequential": "`tie_word_embeddings`",
  "phi-qk-norm": "`activation`",
  "olmo2-biases": "`tie_word_embeddings`",
  "cohere-biases": "`tie_word_embeddings`",
  "cohere-qk-norm": "`tie_word_embeddings`",
  "starcoder2-no-biases": "biases",
  "qwen2-moe-steps": "`experts`",
  "qwen3-moe-steps": "biases",
  olmoe: "`num_key_value_heads`",
  "olmoe-normalized": "biases",
  "gemma3-images": "`attentionScale`",
};
const held: readonly (readonly [string, Record<string, unknown>])[] = [
  ...written.filter((name) => !Object.hasOwn(refused, name)).map((name) => [name, {}] as const),
  ...Object.entries(writableChanges),
];

describe("every family comes out as GGUF and is the same model again", () => {
  test.each(held)("%s %j", async (modelCase, config) => {
    checkpoint = await writeTinyCheckpoint({ modelCase, config, fitting: true });
    spellWithSpaces(checkpoint.path);
    const out = inFolder(`${modelCase}-${Object.keys(config).length}.gguf`);
    await exportCheckpoint(checkpoint.path, { format: "gguf", out });
    const models = [await load(checkpoint.path), await load(out)];
    const [ids] = readModelCase(modelCase).ids;
    const [expected, found] = await Promise.all(models.map((model) => logitsOf(model, ids)));
    for (const model of models) model.release();
    found.forEach((logit, i) => expect(logit).toBeCloseTo(expected[i], 4));
  });

  test.each(Object.entries(refused))("%s is refused by name: %s", async (modelCase, named) => {
    checkpoint = await writeTinyCheckpoint({ modelCase });
    const asked = { format: "gguf", out: inFolder("refused.gguf") } as const;
    await expect(exportCheckpoint(checkpoint.path, asked)).rejects.toThrow(named);
  });

  test.each(modelCaseNames.filter((name) => !written.includes(name)))(
    "%s is refused with the name of its family, before any work",
    async (modelCase) => {
      checkpoint = await writeTinyCheckpoint({ modelCase });
      const asked = { format: "gguf", out: inFolder("refused.gguf") } as const;
      const { config } = readModelCase(modelCase);
      await expect(exportCheckpoint(checkpoint.path, asked)).rejects.toThrow(
        `GGUF files of the model type "${String(config["model_type"])}" are not written`,
      );
    },
  );
});
