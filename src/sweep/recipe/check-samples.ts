import { readJsonObject } from "../../formats/json-file.ts";
import { readModelConfig } from "../../models/index.ts";
import { joinPath } from "../../platform/node.ts";
import { loadTokenizer } from "../../tokenizers/load-tokenizer.ts";
import type { PointEvaluation } from "./sweep-recipe.ts";
import { fault } from "./recipe-source.ts";

/** @throws UsageError where a prompt and what is to follow do not fit into a model's context */
export async function checkSamples({ samples }: PointEvaluation, directory: string): Promise<void> {
  if (!samples) return;
  const { contextLength } = readModelConfig(
    await readJsonObject(joinPath(directory, "config.json")),
  );
  const tokenizer = await loadTokenizer(directory);
  for (const [index, prompt] of samples.prompts.entries()) {
    const length = tokenizer.startIds.length + tokenizer.encode(prompt).length;
    if (length + samples.tokens <= contextLength) continue;
    throw fault(
      `evaluation.samples.prompts[${index}]`,
      `${length} tokens and ${samples.tokens} new ones exceed a model's context of ` +
        `${contextLength}`,
      "shorten it, or ask for fewer tokens",
    );
  }
}
