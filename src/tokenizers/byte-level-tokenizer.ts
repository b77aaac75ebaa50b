import { joinPath, writeText } from "../platform/node.ts";
import { plainBpe } from "./bpe-definition.ts";
import type { Component } from "./components.ts";
import { type Bpe, trainBpe } from "./train-bpe.ts";

/** What a tokenizer that is made here looks like. */
export interface ByteLevelOptions {
  /** Tokens in all, special ones included. */
  readonly vocabularySize: number;
  /** Token that opens a text and is put in front of it. Default `<s>`, id 0. */
  readonly bosToken?: string;
  /** Token that ends a text. Default `</s>`, id 1. */
  readonly eosToken?: string;
  /** Special tokens after these two. */
  readonly specialTokens?: readonly string[];
  /** `runs`: digits stand together, as in GPT-2 (default). `single`: each digit is a token. */
  readonly digits?: "runs" | "single";
  /** Pairs that are seen less often are not merged. Default 2. */
  readonly minFrequency?: number;
  readonly signal?: AbortSignal | undefined;
}

/** The files of a tokenizer, as objects to be written as JSON. */
export interface TokenizerJson {
  /** `tokenizer.json`. */
  readonly definition: object;
  /** `tokenizer_config.json`. */
  readonly settings: object;
}

/**
 * Learns a byte-level BPE tokenizer from texts, and describes it in the Hugging Face format:
 * GPT-2's way of cutting, bytes instead of unknown characters, the start token in front of every
 * text.
 * @throws UsageError CancelledError as `trainBpe`
 */
export async function trainByteLevelTokenizer(
  texts: Iterable<string>,
  options: ByteLevelOptions,
): Promise<TokenizerJson> {
  const { bosToken = "<s>", eosToken = "</s>", digits = "runs" } = options;
  const specialTokens = [bosToken, eosToken, ...(options.specialTokens ?? [])];
  const preTokenizer = preTokenizerOf(digits);
  const bpe = await trainBpe(texts, { ...options, specialTokens, preTokenizer });
  return {
    definition: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: specialTokens.map(describeSpecialToken),
      normalizer: null,
      pre_tokenizer: preTokenizer,
      post_processor: startTemplate(bosToken),
      decoder: byteLevel,
      model: describeModel(bpe),
    },
    settings: {
      tokenizer_class: "PreTrainedTokenizerFast",
      bos_token: bosToken,
      eos_token: eosToken,
      clean_up_tokenization_spaces: false,
    },
  };
}

/** Writes `tokenizer.json` and `tokenizer_config.json` into a directory. */
export async function writeTokenizer(directory: string, tokenizer: TokenizerJson): Promise<void> {
  const format = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
  await writeText(joinPath(directory, "tokenizer.json"), format(tokenizer.definition));
  await writeText(joinPath(directory, "tokenizer_config.json"), format(tokenizer.settings));
}

const byteLevel: Component = {
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: true,
};

function preTokenizerOf(digits: "runs" | "single"): Component {
  if (digits === "runs") return byteLevel;
  const single = { type: "Digits", individual_digits: true };
  return { type: "Sequence", pretokenizers: [single, byteLevel] };
}

function describeSpecialToken(content: string, id: number): object {
  return {
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  };
}

/** Puts the start token, whose id is 0, in front of a text; of two texts, in front of each. */
function startTemplate(token: string): Component {
  const start = (type: number) => ({ SpecialToken: { id: token, type_id: type } });
  const text = (id: string, type: number) => ({ Sequence: { id, type_id: type } });
  return {
    type: "TemplateProcessing",
    single: [start(0), text("A", 0)],
    pair: [start(0), text("A", 0), start(1), text("B", 1)],
    special_tokens: { [token]: { id: token, ids: [0], tokens: [token] } },
  };
}

function describeModel({ vocabulary, merges }: Bpe): object {
  return {
    ...plainBpe,
    vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
    // As text: older versions of the tokenizers library do not read pairs. No token has a space.
    merges: merges.map((pair) => pair.join(" ")),
  };
}
