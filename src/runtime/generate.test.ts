import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../../test/golden/tiny-checkpoint.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { CancelledError, UsageError } from "../util/errors.ts";
import { generate, type GenerateOptions, generateText } from "./generate.ts";
import type { LanguageModel } from "./language-model.ts";
import { load } from "./load.ts";

let checkpoint: TinyCheckpoint;
let languageModel: LanguageModel;

beforeAll(async () => {
  checkpoint = await writeTinyCheckpoint();
  languageModel = await load(checkpoint.path, { backend: createReferenceBackend() });
});
afterAll(() => checkpoint.remove());

const hot = { prompt: "Once", maxTokens: 24, temperature: 1.5, ignoreEos: true };
const run = (options: Partial<GenerateOptions> = {}) =>
  generateText(languageModel, { ...hot, ...options });

/** Most likely continuation, by running the whole text again for every token. */
async function greedyWithoutCache(prompt: readonly number[], count: number): Promise<number[]> {
  const ids = [...prompt];
  const { hiddenSize } = languageModel.config;
  for (let i = 0; i < count; i++) {
    const hidden = languageModel.hiddenStates(languageModel.tokens([ids]));
    const last = hidden.reshape([ids.length, hiddenSize]).slice(ids.length - 1, ids.length);
    const logits = await languageModel.logits(last).read();
    ids.push(logits.indexOf(Math.max(...logits)));
  }
  return ids.slice(prompt.length);
}

describe("generation", () => {
  test("is greedy by default, and the cache changes nothing", async () => {
    const prompt = [0, 10, 20, 30, 40, 50];
    const expected = await greedyWithoutCache(prompt, 20);
    const options = { prompt, maxTokens: 20, ignoreEos: true, kvCache: "f32" } as const;
    expect((await generateText(languageModel, options)).tokens).toEqual(expected);
  });

  test.each(["f32", "f16", "i8", "i4"] as const)(
    "with an %s cache does not depend on how the prompt is cut into chunks",
    async (kvCache) => {
      const prompt = [0, 10, 20, 30, 40, 50, 60, 70, 1, 2, 3];
      const { tokens } = await run({ prompt, kvCache });
      for (const prefillChunk of [1, 2, 3, 4, 5, 10, 11, 12]) {
        expect((await run({ prompt, kvCache, prefillChunk })).tokens).toEqual(tokens);
      }
    },
  );

  test("is the same for the same seed, and another for another", async () => {
    const [a, b, c] = [await run({ seed: 3 }), await run({ seed: 3 }), await run({ seed: 4 })];
    expect(a.tokens).toEqual(b.tokens);
    expect(a.tokens).not.toEqual(c.tokens);
  });

  test("of a text starts behind the model's start token", async () => {
    const { tokenizer } = languageModel;
    const ids = [...tokenizer.startIds, ...tokenizer.encode("Once")];
    expect(ids[0]).toBe(0);
    expect((await run({ prompt: ids })).tokens).toEqual((await run()).tokens);
  });

  test("streams the text of its tokens", async () => {
    const { tokens, text } = await run();
    expect(text).toBe(languageModel.tokenizer.decode(tokens, { skipSpecial: true }));
    let streamed = "";
    for await (const piece of generate(languageModel, hot)) streamed += piece.text;
    expect(streamed).toBe(text);
  });

  test("ends before a stop string", async () => {
    const { text } = await run();
    const stop = text.slice(6, 9);
    const stopped = await run({ stop: ["never to be seen", stop] });
    expect(stopped.text).toBe(text.slice(0, text.indexOf(stop)));
    expect(stopped.stats.finishReason).toBe("stop");
  });

  test("ends at any of the tokens that end texts", async () => {
    const { tokens } = await run();
    const eosIds = [71, tokens[5]];
    const tokenizer = Object.assign(Object.create(languageModel.tokenizer), { eosIds });
    const other = Object.assign(Object.create(languageModel), { tokenizer });
    const ended = await generateText(other, { ...hot, ignoreEos: false });
    expect(ended.tokens).toEqual(tokens.slice(0, tokens.indexOf(tokens[5]) + 1));
    expect(ended.stats.finishReason).toBe("eos");
  });

  test("counts its tokens", async () => {
    const { stats } = await run();
    expect(stats).toMatchObject({ promptTokens: 5, generatedTokens: 24, finishReason: "length" });
    expect(stats.prefillTokensPerSecond).toBeGreaterThan(0);
    expect(stats.decodeTokensPerSecond).toBeGreaterThan(0);
  });

  test("keeps keys and values in float16 unless asked otherwise, and says what they took", async () => {
    const { config } = languageModel;
    const each = 2 * config.layers.length * 29 * config.kvHeads;
    expect((await run()).stats).toMatchObject({
      kvCache: "f16",
      kvCacheBytes: each * config.headDim * 2,
    });
    expect((await run({ kvCache: "i8" })).stats).toMatchObject({
      kvCache: "i8",
      kvCacheBytes: each * (config.headDim + 4),
    });
  });

  test.each([
    ["keys", "k_proj", "q_proj"],
    ["values", "v_proj", "o_proj"],
  ])("%s that float16 cannot hold are kept in float32, and it says so", async (_, large, small) => {
    const edit = (name: string, values: Float32Array): void => {
      const factor = name.includes(large) ? 2 ** 20 : name.includes(small) ? 2 ** -20 : 1;
      for (let i = 0; i < values.length; i++) values[i] *= factor;
    };
    const written = { modelCase: "llama" };
    const [plain, scaled] = [
      await writeTinyCheckpoint(written),
      await writeTinyCheckpoint({ ...written, edit }),
    ];
    const original = await load(plain.path, { backend: createReferenceBackend() });
    const model = await load(scaled.path, { backend: createReferenceBackend() });
    const expected = await generateText(original, { ...hot, kvCache: "f32" });
    for (const kvCache of ["f16", "f32", undefined] as const) {
      const options = kvCache === undefined ? hot : { ...hot, kvCache };
      const { tokens, stats } = await generateText(model, options);
      expect(tokens).toEqual(expected.tokens);
      expect(stats).toMatchObject({ kvCache: "f32", kvCacheOverflowed: kvCache !== "f32" });
    }
    original.release();
    model.release();
    await plain.remove();
    await scaled.remove();
  });

  test("a penalty on repetition makes the tokens more varied", async () => {
    const greedy = await run({ temperature: 0, maxTokens: 40 });
    const varied = await run({ temperature: 0, maxTokens: 40, repetitionPenalty: 5 });
    expect(new Set(varied.tokens).size).toBeGreaterThan(new Set(greedy.tokens).size);
  });
});

describe("a generation that cannot be", () => {
  test.each<[string, Partial<GenerateOptions>, RegExp]>([
    ["more tokens than the context has", { maxTokens: 60 }, /5 prompt tokens and 60 new ones.*64/],
    ["a prompt longer than the context", { prompt: new Int32Array(64) }, /64 prompt tokens/],
    ["no prompt", { prompt: [] }, /prompt is empty/],
    ["a token outside the vocabulary", { prompt: [72] }, /token 72 is not in the vocabulary/],
    ["no tokens", { maxTokens: 0 }, /must be 1 or more, got 0/],
    ["a chunk of nothing", { prefillChunk: 0 }, /prefill chunk/],
    ["a cache of another kind", { kvCache: "f8" as "f16" }, /must be f32, f16, i8, i4, got "f8"/],
    ["a negative temperature", { temperature: -1 }, /temperature/],
  ])("%s is a UsageError", async (_, options, message) => {
    await expect(run(options)).rejects.toThrow(UsageError);
    await expect(run(options)).rejects.toThrow(message);
  });

  test("without a number of tokens it goes as far as the context", async () => {
    const { stats } = await generateText(languageModel, { prompt: "Once", ignoreEos: true });
    expect(stats.generatedTokens).toBe(64 - 5);
  });

  test("stops when it is cancelled", async () => {
    const controller = new AbortController();
    const generator = generate(languageModel, { ...hot, signal: controller.signal });
    await generator.next();
    controller.abort();
    await expect(generator.next()).rejects.toThrow(CancelledError);
  });
});
