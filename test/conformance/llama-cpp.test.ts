import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generateText } from "../../src/runtime/generate.ts";
import { exportCheckpoint, type LanguageModel, load } from "../../src/index.ts";
import { blockFormats } from "../../src/quant/blocks/index.ts";
import { absent, shared, temporaryFolder } from "../e2e/shared-models.ts";
import { compareLogits, logitsOf } from "../llama-cpp/compare-logits.ts";
import { llamaAbsent } from "../llama-cpp/llama-addon.ts";
import { LlamaCpp } from "../llama-cpp/llama-cpp.ts";

/*
 * fewbit against llama.cpp itself, which runs the same file in the same process: ids, logits and
 * greedy text. llama.cpp rounds the inputs of quantized layers to 8 bits, fewbit's exact products
 * round nothing: two kernels of llama.cpp differ from each other by as much as is allowed here.
 */

const missing = absent || llamaAbsent;
const smol = "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";

/** The most KL divergence where both round, in nats. */
const roundedDivergence = 0.01;
/**
 * How far the logit of a token may lie behind the greatest one: runtimes that round differently
 * choose differently between tokens that are about as likely.
 */
const nearTie = 0.5;

/** Scripts, numbers, emoji with joiners, white space, and what looks like a special token. */
const texts = [
  "The history of Rome spans 28 centuries. Founded in 753 BC, by 12345 people; it's naïve, isn't it?",
  "日本語と中文 한국어 हिन्दी العربية עברית ไทย Ελληνικά Кириллица ქართული አማርኛ",
  "🙂🙃 👩‍👩‍👧‍👦 🏳️‍🌈 e\u0301 \u00a0 \t tabs\n\n\n  three spaces   \r\n1.000.000 x² ½ ﬁ",
  "<|im_start|>user\nWho?<|im_end|>\n<|not special|>",
];

interface LlamaReference {
  readonly "greedy (24 tokens, temperature 0)": Readonly<Record<string, string>>;
}

describe.skipIf(missing !== "")(`the GGUF file of SmolLM2-135M${missing}`, () => {
  let llama: LlamaCpp;
  let ours: LanguageModel;
  beforeAll(async () => {
    llama = await LlamaCpp.open(shared(smol), { exactAttention: true });
    ours = await load(shared(smol));
  });
  afterAll(async () => {
    ours?.release();
    await llama?.[Symbol.asyncDispose]();
  });

  test("what llama.cpp's own program wrote is greedy in this process too", async () => {
    const document = JSON.parse(readFileSync(shared("reference/smollm2-135m.json"), "utf8"));
    const reference = Object.entries<LlamaReference>(document).find(([key]) =>
      key.startsWith("llama.cpp"),
    );
    const written = Object.entries(reference?.[1]["greedy (24 tokens, temperature 0)"] ?? {});
    expect(written).toHaveLength(3);
    for (const [prompt, text] of written) {
      const begin = llama.encode(prompt).length;
      const ids = llama.encode(prompt + text);
      expect(await behindTheBest(llama, ids, begin)).toBeLessThan(nearTie);
    }
  });

  test.each(texts)("has the ids of llama.cpp for %j", (text) => {
    const ids = llama.encode(text, { special: true });
    expect([...ours.tokenizer.encode(text, { addSpecial: true })]).toEqual(ids);
    expect(ours.tokenizer.decode(ids)).toBe(llama.decode(ids));
  });

  test("has the logits of llama.cpp, but for what that rounds", async () => {
    const ids = llama.encode(texts[0]);
    const { divergence, behindTheBest: behind } = compareLogits(
      await llama.logits(ids),
      await logitsOf(ours, ids),
    );
    expect(divergence).toBeLessThan(roundedDivergence);
    expect(behind).toBeLessThan(nearTie);
  });

  test("continues texts as llama.cpp does, up to tokens that are as likely", async () => {
    for (const prompt of ["The capital of France is", "def add(a, b):", "Once upon a time"]) {
      const { tokens } = await generateText(ours, { prompt, maxTokens: 24 });
      const start = llama.encode(prompt);
      const ids = [...start, ...tokens];
      expect(tokens.length).toBeGreaterThan(8);
      expect(await behindTheBest(llama, ids, start.length)).toBeLessThan(nearTie);
    }
  });
});

describe.skipIf(missing !== "")(`prose-6m, exported as GGUF${missing}`, () => {
  const inFolder = temporaryFolder();
  const floats = ["f32", "f16", "bf16"];
  const mixtures = ["Q2_K", "Q3_K_M", "Q4_K_M"];
  const prompt = "It was the best of times, in 1859";

  test.each([...floats, ...blockFormats.map(({ id }) => id), ...mixtures])(
    "as %s has in llama.cpp the ids, logits and greedy text that it has here",
    async (type) => {
      const out = inFolder(`prose-${type}.gguf`);
      await exportCheckpoint(shared("models/prose-6m"), { format: "gguf", type, out });
      await using llama = await LlamaCpp.open(out, { exactAttention: true });
      const ours = await load(out);
      const ids = llama.encode(prompt);
      expect([...ours.tokenizer.encode(prompt, { addSpecial: true })]).toEqual(ids);
      const logits = [await llama.logits(ids), await logitsOf(ours, ids)] as const;
      const { divergence, behindTheBest: behind } = compareLogits(...logits);
      expect(divergence).toBeLessThan(floats.includes(type) ? 1e-5 : roundedDivergence);
      expect(behind).toBeLessThan(nearTie);
      const { tokens } = await generateText(ours, { prompt, maxTokens: 12 });
      expect(await behindTheBest(llama, [...ids, ...tokens], ids.length)).toBeLessThan(nearTie);
      ours.release();
    },
  );
});

/** The most that the logits of `ids[begin …]` lie behind the greatest at their places. */
async function behindTheBest(
  llama: LlamaCpp,
  ids: readonly number[],
  begin: number,
): Promise<number> {
  const rows = await llama.logits(ids.slice(0, -1), begin - 1);
  const gaps = rows.map((row, i) => Math.max(...row) - row[ids[begin + i]]);
  return Math.max(...gaps);
}
