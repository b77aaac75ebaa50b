import { defaultWindow, expectMeasurable } from "../../evaluation/open-windows.ts";
import type { ModelFiles } from "../../formats/model-files.ts";
import type { DecoderConfig } from "../../models/decoder-config.ts";
import { readModelConfig } from "../../models/index.ts";
import { openModelFiles } from "../../runtime/open-checkpoint.ts";
import { loadTokenizer } from "../../tokenizers/load-tokenizer.ts";
import type { PointEvaluation } from "./sweep-recipe.ts";
import { fault, faultAt } from "./recipe-source.ts";

/**
 * Checks what a sweep asks of a model against its context: windows of texts, and prompts with what
 * is to follow.
 * @param model its directory or GGUF file
 * @throws UsageError that names the field
 */
export async function checkContext(evaluation: PointEvaluation, model: string): Promise<void> {
  const files = await openModelFiles(model);
  const config = readModelConfig(await files.json("config.json"));
  checkWindows(evaluation, config);
  await checkSamples(evaluation, files, config);
}

type Context = Pick<DecoderConfig, "contextLength">;

function checkWindows({ texts }: PointEvaluation, config: Context): void {
  for (const [index, { window, protocol = "windows", beyondContext }] of texts.entries()) {
    const length = window ?? defaultWindow({ config }, protocol);
    try {
      expectMeasurable({ window: length, protocol }, config.contextLength, beyondContext);
    } catch (error) {
      throw faultAt(`evaluation.texts[${index}].window`, error);
    }
  }
}

async function checkSamples(
  { samples }: PointEvaluation,
  files: ModelFiles,
  { contextLength, vocabularySize }: Pick<DecoderConfig, "contextLength" | "vocabularySize">,
): Promise<void> {
  if (!samples) return;
  const tokenizer = await loadTokenizer(files, vocabularySize);
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
