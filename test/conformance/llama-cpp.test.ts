import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { absent, shared } from "../e2e/shared-models.ts";
import { llamaAbsent } from "../llama-cpp/llama-addon.ts";
import { LlamaCpp } from "../llama-cpp/llama-cpp.ts";

/*
 * fewbit against llama.cpp itself, which reads the same file in the same process: ids, logits and
 * greedy text.
 */

const missing = absent || llamaAbsent;
const smol = "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";

interface LlamaReference {
  readonly "greedy (24 tokens, temperature 0)": Readonly<Record<string, string>>;
}

describe.skipIf(missing !== "")(`the GGUF file of SmolLM2-135M${missing}`, () => {
  let llama: LlamaCpp;
  beforeAll(async () => {
    llama = await LlamaCpp.open(shared(smol));
  });
  afterAll(() => llama?.[Symbol.asyncDispose]());

  test("what llama.cpp's own program wrote is greedy in this process too", async () => {
    const document = JSON.parse(readFileSync(shared("reference/smollm2-135m.json"), "utf8"));
    const reference = Object.entries<LlamaReference>(document).find(([key]) =>
      key.startsWith("llama.cpp"),
    );
    const texts = Object.entries(reference?.[1]["greedy (24 tokens, temperature 0)"] ?? {});
    expect(texts).toHaveLength(3);
    for (const [prompt, text] of texts) {
      const begin = llama.encode(prompt).length;
      const ids = llama.encode(prompt + text);
      expect(await behindTheBest(llama, ids, begin)).toBeLessThan(nearTie);
    }
  });
});

/**
 * How far the logit of a token may lie behind the greatest one: runtimes that round differently
 * choose differently between tokens that are as likely.
 */
const nearTie = 0.1;

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
