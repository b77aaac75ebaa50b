import { afterEach, describe, expect, test } from "vitest";
import { exportCheckpoint, type LanguageModel, load } from "../../src/index.ts";
import { findArchitecture } from "../../src/models/index.ts";
import { modelCaseNames, readModelCase } from "../golden/model-cases.ts";
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
/** Golden models that llama.cpp does not compute: other gates, other blocks without positions. */
const refused = written.filter((name) => /gelu|smollm3/.test(name));

describe("every family comes out as GGUF and is the same model again", () => {
  test.each(written.filter((name) => !refused.includes(name)))("%s", async (modelCase) => {
    checkpoint = await writeTinyCheckpoint({ modelCase });
    spellWithSpaces(checkpoint.path);
    const out = inFolder(`${modelCase}.gguf`);
    await exportCheckpoint(checkpoint.path, { format: "gguf", out });
    const models = [await load(checkpoint.path), await load(out)];
    const [ids] = readModelCase(modelCase).ids;
    const [expected, found] = await Promise.all(models.map((model) => logitsOf(model, ids)));
    for (const model of models) model.release();
    found.forEach((logit, i) => expect(logit).toBeCloseTo(expected[i], 4));
  });

  test.each(refused)("%s is refused: llama.cpp computes something else", async (modelCase) => {
    checkpoint = await writeTinyCheckpoint({ modelCase });
    const asked = { format: "gguf", out: inFolder("refused.gguf") } as const;
    const { config } = readModelCase(modelCase);
    await expect(exportCheckpoint(checkpoint.path, asked)).rejects.toThrow(
      String(config["hidden_act"]).includes("gelu") ? "gate" : "rotated by positions",
    );
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
