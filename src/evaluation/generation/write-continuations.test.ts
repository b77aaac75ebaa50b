import { afterAll, beforeAll, expect, test } from "vitest";
import { writeTinyCheckpoint, type TinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { generateText } from "../../runtime/generate.ts";
import type { LanguageModel } from "../../runtime/language-model.ts";
import { load } from "../../runtime/load.ts";
import { UsageError } from "../../util/errors.ts";
import { writeContinuations } from "./write-continuations.ts";

const backend = createReferenceBackend();
let tiny: TinyCheckpoint;
let model: LanguageModel;
beforeAll(async () => {
  tiny = await writeTinyCheckpoint({});
  model = await load(tiny.path, { backend });
});
afterAll(async () => {
  model.release();
  await tiny.remove();
});

const prompts = Array.from({ length: 12 }, (_, index) => ({
  text: `prompt ${index}`,
  ids: Array.from({ length: 1 + (index % 4) }, (__, at) => 2 + index + 3 * at),
  maxTokens: 6 + (index % 3),
}));
const opened = { set: null, sha256: "", prompts };

test.each([0, 0.7])(
  "continuations are what generation gives, at temperature %d",
  async (temperature) => {
    // Some token that the model writes ends texts, so that some continuations end themselves.
    const [first] = await writeContinuations(model, opened, { choice: {}, products: "exact" });
    const eosIds = [first.ids[2]];
    const tokenizer = Object.create(model.tokenizer, { eosIds: { value: eosIds } });
    const ending = Object.create(model, { tokenizer: { value: tokenizer } }) as LanguageModel;
    const choice = { temperature, seed: 3 };
    let told = 0;
    const onWritten = (): void => void told++;
    const options = { choice, products: "exact", onWritten } as const;
    const written = await writeContinuations(ending, opened, options);
    expect(told).toBe(12);
    expect(written.some(({ ended }) => ended)).toBe(true);
    for (const [index, { ids: prompt, maxTokens }] of prompts.entries()) {
      const request = { prompt, maxTokens, temperature, seed: 3 + index } as const;
      const alone = await generateText(ending, { ...request, products: "exact", kvCache: "f32" });
      const { text, tokens, stats } = alone;
      const ended = stats.finishReason === "eos";
      expect(written[index]).toEqual({ ids: tokens, text, ended });
    }
  },
);

test("a temperature below 0 is refused", async () => {
  const options = { choice: { temperature: -1 }, products: "exact" } as const;
  await expect(writeContinuations(model, opened, options)).rejects.toThrow(UsageError);
});
