import { FormatError, UnsupportedError } from "../util/errors.ts";
import type { Architecture, GgufTraits } from "./architecture.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import { expectKnownFields, inOwnNames, parseDecoderFields } from "./decoder-fields.ts";
import { cohere } from "./families/cohere.ts";
import { gemma } from "./families/gemma.ts";
import { gemma2 } from "./families/gemma2.ts";
import { gemma3 } from "./families/gemma3.ts";
import { gptNeox } from "./families/gpt-neox.ts";
import { gpt2 } from "./families/gpt2.ts";
import { granite } from "./families/granite.ts";
import { llama } from "./families/llama.ts";
import { ministral } from "./families/ministral.ts";
import { mistral } from "./families/mistral.ts";
import { mixtral } from "./families/mixtral.ts";
import { mobilellm } from "./families/mobilellm.ts";
import { olmo2 } from "./families/olmo2.ts";
import { opt } from "./families/opt.ts";
import { phi } from "./families/phi.ts";
import { phi3 } from "./families/phi3.ts";
import { olmoe } from "./families/olmoe.ts";
import { qwen2Moe } from "./families/qwen2-moe.ts";
import { qwen2 } from "./families/qwen2.ts";
import { qwen3Moe } from "./families/qwen3-moe.ts";
import { qwen3 } from "./families/qwen3.ts";
import { smollm3 } from "./families/smollm3.ts";
import { starcoder2 } from "./families/starcoder2.ts";

/** All architectures that fewbit runs, one line each. */
export const architectures: readonly Architecture[] = [
  llama,
  mistral,
  ministral,
  qwen2,
  qwen3,
  smollm3,
  gemma,
  gemma2,
  gemma3,
  opt,
  gpt2,
  gptNeox,
  phi,
  phi3,
  granite,
  olmo2,
  cohere,
  mobilellm,
  starcoder2,
  mixtral,
  qwen2Moe,
  qwen3Moe,
  olmoe,
];

/**
 * Finds the architecture of a parsed `config.json` by its `model_type`.
 * @throws FormatError when there is no `model_type`
 * @throws UnsupportedError when it is not known
 */
export function findArchitecture(json: unknown): Architecture {
  const modelType = (json as { model_type?: unknown } | null)?.model_type;
  if (typeof modelType !== "string") {
    throw new FormatError(`config.json: expected "model_type" to be a string`, {
      hint: "the file must be the config.json of a Hugging Face checkpoint",
    });
  }
  expectOnePart(json as Record<string, unknown>, modelType);
  const found = architectures.find((architecture) => architecture.modelType === modelType);
  if (found) return found;
  throw new UnsupportedError(`model type "${modelType}" is not supported`, {
    hint: `supported: ${architectures.map((architecture) => architecture.modelType).join(", ")}`,
  });
}

/** @throws UnsupportedError for a model of several parts, such as images and text */
function expectOnePart({ text_config: text }: Record<string, unknown>, modelType: string): void {
  if (typeof text !== "object" || text === null) return;
  throw new UnsupportedError(
    `model type "${modelType}": config.json describes several parts, the language model in text_config`,
    { hint: "save the language model alone, with a config.json of its own" },
  );
}

/**
 * Reads a parsed `config.json`.
 * @throws FormatError when a field is missing or wrong
 * @throws UnsupportedError for models that fewbit cannot run
 */
export function readModelConfig(json: unknown): DecoderConfig {
  const family = findArchitecture(json);
  const { modelType, aliases = {}, reads } = family;
  if (reads) expectKnownFields(json, modelType, reads);
  try {
    return family.configure(parseDecoderFields(json, aliases));
  } catch (error) {
    throw inOwnNames(error, aliases);
  }
}

/** Families that llama.cpp has, too. */
export const ggufFamilies = architectures.flatMap((family) =>
  family.gguf ? [{ ...family, gguf: family.gguf }] : [],
);

/**
 * Says how GGUF files hold models like that of a parsed `config.json`.
 * @throws UnsupportedError when fewbit writes none of its family
 */
export function ggufTraitsOf(json: unknown): GgufTraits {
  const { gguf, modelType } = findArchitecture(json);
  if (gguf) return gguf;
  const known = new Set(ggufFamilies.map((family) => family.modelType));
  throw new UnsupportedError(`GGUF files of the model type "${modelType}" are not written`, {
    hint: `of these they are: ${[...known].join(", ")}; any other is exported with \`format: hf\``,
  });
}
