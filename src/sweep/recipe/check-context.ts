import { openPrompts } from "../../evaluation/generation/open-prompts.ts";
import { defaultWindow, expectMeasurable } from "../../evaluation/open-windows.ts";
import type { DecoderConfig } from "../../models/decoder-config.ts";
import { readModelConfig } from "../../models/index.ts";
import { openModelFiles } from "../../runtime/open-checkpoint.ts";
import { loadTokenizer } from "../../tokenizers/load-tokenizer.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import type { PointEvaluation } from "./sweep-recipe.ts";
import { fault, faultAt } from "./recipe-source.ts";

/**
 * Checks what a sweep asks of a model against its context and tokenizer: windows of texts, and
 * prompts with what is to follow.
 * @param model its directory or GGUF file
 * @throws UsageError that names the field
 */
export async function checkContext(evaluation: PointEvaluation, model: string): Promise<void> {
  const files = await openModelFiles(model);
  const config = readModelConfig(await files.json("config.json"));
  checkWindows(evaluation, config);
  const { samples, generate } = evaluation;
  if (!samples && !generate) return;
  const tokenizer = await loadTokenizer(files, config.vocabularySize);
  if (samples) checkSamples(samples, tokenizer, config);
  if (!generate) return;
  try {
    await openPrompts({ tokenizer, config }, generate);
  } catch (error) {
    throw faultAt("evaluation.generate", error);
  }
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

function checkSamples(
  samples: NonNullable<PointEvaluation["samples"]>,
  tokenizer: Tokenizer,
  { contextLength }: Context,
): void {
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
