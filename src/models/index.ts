import { FormatError, UnsupportedError } from "../util/errors.ts";
import type { JsonRecord } from "../util/json.ts";
import type { Architecture, FamilyName, GgufTraits } from "./architecture.ts";
import { type Composite, type LanguagePart, languagePart, namesWithin } from "./composite.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import { expectKnownFields, inOwnNames, parseDecoderFields } from "./decoder-fields.ts";
import { cohere } from "./families/cohere.ts";
import { gemma } from "./families/gemma.ts";
import { gemma2 } from "./families/gemma2.ts";
import { gemma3 } from "./families/gemma3.ts";
import { gemma3Images } from "./families/gemma3-images.ts";
import { gptNeox } from "./families/gpt-neox.ts";
import { gpt2 } from "./families/gpt2.ts";
import { granite } from "./families/granite.ts";
import { llama } from "./families/llama.ts";
import { llava, llavaNext } from "./families/llava.ts";
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
import { qwen25Vl, qwen2Vl } from "./families/qwen2-vl.ts";
import { qwen3Moe } from "./families/qwen3-moe.ts";
import { qwen3 } from "./families/qwen3.ts";
import { smollm3 } from "./families/smollm3.ts";
import { starcoder2 } from "./families/starcoder2.ts";

/** Families of language models, one line each. */
const languages: readonly Architecture[] = [
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

/** Families of models of which a language model is one part, one line each. */
const composites: readonly Composite[] = [llava, llavaNext, qwen2Vl, qwen25Vl, gemma3Images];

/** All families that fewbit runs. */
export const architectures: readonly FamilyName[] = [...languages, ...composites];

/**
 * Finds the language model that a parsed `config.json` describes, by its `model_type`.
 * @throws FormatError when there is no `model_type`, or a part is not described
 * @throws UnsupportedError when it is not known
 */
export function findLanguage(json: unknown): LanguagePart {
  const modelType = (json as { model_type?: unknown } | null)?.model_type;
  if (typeof modelType !== "string") {
    throw new FormatError(`config.json: expected "model_type" to be a string`, {
      hint: "the file must be the config.json of a Hugging Face checkpoint",
    });
  }
  const fields = json as JsonRecord;
  const composite = composites.find((family) => family.modelType === modelType);
  if (composite) return languagePart(fields, composite);
  expectOnePart(fields, modelType);
  const architecture = languages.find((family) => family.modelType === modelType);
  if (architecture) return { architecture, fields, composite: null };
  throw new UnsupportedError(`model type "${modelType}" is not supported`, {
    hint: `supported: ${architectures.map((family) => family.modelType).join(", ")}`,
  });
}

/**
 * Finds the family of a parsed `config.json`; of several parts, with what its language model does.
 * @throws FormatError UnsupportedError as `findLanguage`
 */
export function findArchitecture(json: unknown): Architecture {
  const { architecture, composite } = findLanguage(json);
  return composite ? { ...architecture, modelType: composite.modelType } : architecture;
}

/** @throws UnsupportedError for a model of several parts that is of none of the known families */
function expectOnePart({ text_config: text }: Record<string, unknown>, modelType: string): void {
  if (typeof text !== "object" || text === null) return;
  throw new UnsupportedError(
    `model type "${modelType}": config.json describes several parts, the language model in text_config`,
    {
      hint:
        `of such models these are supported: ${composites.map((family) => family.modelType).join(", ")}; ` +
        "of others, save the language model alone, with a config.json of its own",
    },
  );
}

/**
 * Reads a parsed `config.json`.
 * @param stored names of the checkpoint's tensors, by which those of a language model within a
 * larger one are found; by default they are as transformers calls its modules
 * @throws FormatError when a field is missing or wrong
 * @throws UnsupportedError for models that fewbit cannot run
 */
export function readModelConfig(json: unknown, stored: Iterable<string> = []): DecoderConfig {
  const { architecture, fields, composite } = findLanguage(json);
  const config = readLanguageConfig(architecture, fields);
  if (!composite) return config;
  const names = namesWithin(composite, config.names, stored);
  return { ...config, modelType: composite.modelType, names };
}

function readLanguageConfig(family: Architecture, json: unknown): DecoderConfig {
  const { modelType, aliases = {}, reads } = family;
  if (reads) expectKnownFields(json, modelType, reads);
  try {
    return family.configure(parseDecoderFields(json, aliases));
  } catch (error) {
    throw inOwnNames(error, aliases);
  }
}

/**
 * Families that llama.cpp has, too; also language models of several parts, where config.json may
 * describe them alone.
 */
export const ggufFamilies = [
  ...languages,
  ...composites.flatMap(({ modelType, title, flat = false, languages: [language] }) =>
    flat ? [{ ...language, modelType, title }] : [],
  ),
].flatMap((family) => (family.gguf ? [{ ...family, gguf: family.gguf }] : []));

/**
 * Says how GGUF files hold models like that of a parsed `config.json`.
 * @throws UnsupportedError when fewbit writes none of its family
 */
export function ggufTraitsOf(json: unknown): GgufTraits {
  const { gguf, modelType } = findArchitecture(json);
  if (gguf) return gguf;
  const known = [
    ...languages.filter((family) => family.gguf !== null),
    ...composites.filter((family) => family.languages.every((each) => each.gguf !== null)),
  ];
  const names = known.map((family) => family.modelType).join(", ");
  throw new UnsupportedError(`GGUF files of the model type "${modelType}" are not written`, {
    hint: `of these they are: ${names}; any other is exported with \`format: hf\``,
  });
}
