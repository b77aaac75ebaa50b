import { FormatError, UnsupportedError } from "../../util/errors.ts";
import { suggestName } from "../../util/nearest.ts";
import { quoteText } from "../../util/quote-text.ts";
import { readGgufChatTemplates } from "./chat-templates.ts";
import { type PreTokenizer, preTokenizers } from "./pre-tokenizers.ts";
import { readSpecialIds, type SpecialIds, type TokenRole } from "./special-ids.ts";
import { bytePairParts, sentencePieceParts, type TokenizerParts } from "./tokenizer-parts.ts";
import {
  type GgufVocabulary,
  readVocabulary,
  type TokenizerMetadata,
  tokenTypes,
} from "./tokenizer-metadata.ts";

/** The tokenizer of a GGUF file in the Hugging Face format: JSON values of its files. */
export interface GgufTokenizer {
  /** `tokenizer.json`. */
  readonly definition: object;
  /** `tokenizer_config.json`. */
  readonly settings: object;
  /** Chat templates by name. */
  readonly chatTemplates: ReadonlyMap<string, string>;
  /** The ids of `generation_config.json`. */
  readonly tokenIds: GenerationIds;
  /** What a person should know of it, a sentence each. */
  readonly notices: readonly string[];
}

/** Ids of special tokens, by the names that they have in `generation_config.json`. */
export interface GenerationIds {
  readonly bos_token_id?: number;
  readonly eos_token_id?: number | readonly number[];
  readonly pad_token_id?: number;
}

/**
 * Reads the tokenizer of a GGUF file: byte-pair encodings (`gpt2`, `gemma4`) with their pre-tokenizer,
 * and SentencePiece (`llama`). Ids are those of llama.cpp, which is what such files are made for.
 *
 * A file without `tokenizer.ggml.pre` (before April 2024) is read with llama.cpp's `default`, with a
 * notice, since its ids need not be those that the model was trained with. A name that is not known is
 * refused: no pre-tokenizer would be the right one.
 * @throws FormatError for missing or malformed metadata
 * @throws UnsupportedError for other kinds of tokenizers and unknown pre-tokenizers
 */
export function readGgufTokenizer(metadata: TokenizerMetadata): GgufTokenizer {
  const kind = readKind(metadata);
  const vocabulary = readVocabulary(metadata);
  const special = readSpecialIds(metadata, vocabulary);
  const notices = [...kind.notices, ...special.notices];
  const parts =
    kind.pre === null
      ? sentencePiece(metadata, vocabulary, special)
      : bytePairParts(vocabulary, readMerges(metadata), kind.pre);
  const around = readAround(metadata, special, kind);
  notices.push(...around.notices);
  return {
    definition: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: addedTokens(metadata, vocabulary, special),
      normalizer: parts.normalizer,
      pre_tokenizer: parts.pre_tokenizer,
      post_processor: template(vocabulary, around),
      decoder: parts.decoder,
      model: parts.model,
    },
    settings: settings(vocabulary, special, kind),
    chatTemplates: readGgufChatTemplates(metadata),
    tokenIds: generationIds(special),
    notices,
  };
}

interface Kind {
  /** Null for SentencePiece. */
  readonly pre: PreTokenizer | null;
  readonly notices: readonly string[];
}

function readKind(metadata: TokenizerMetadata): Kind {
  const { source } = metadata;
  const model = metadata.string("tokenizer.ggml.model");
  if (model === null) {
    throw new FormatError(`${source}: the metadata has no \`tokenizer.ggml.model\``, {
      hint: "the file holds no tokenizer; take one that does",
    });
  }
  if (model === "llama") return { pre: null, notices: [] };
  if (model !== "gpt2" && model !== "gemma4") {
    throw new UnsupportedError(
      `${source}: the tokenizer is of the kind ${quoteText(model, 40)} (\`tokenizer.ggml.model\`)`,
      { hint: "fewbit reads gpt2 and gemma4 (byte-pair encodings) and llama (SentencePiece)" },
    );
  }
  const name = model === "gemma4" ? model : metadata.string("tokenizer.ggml.pre") || null;
  const pre = preTokenizers.get(name ?? "default");
  if (pre === undefined) throw unknownPre(source, name ?? "");
  return { pre, notices: name === null || name === "default" ? [defaultPre] : [] };
}

const defaultPre =
  "the file does not say how its tokenizer cuts text (`tokenizer.ggml.pre`): it is read with " +
  "llama.cpp's default, whose ids need not be those that the model was trained with; a newer " +
  "conversion of the model says it";

function unknownPre(source: string, name: string): UnsupportedError {
  const hint = suggestName(name, [...preTokenizers.keys()], undefined);
  return new UnsupportedError(
    `${source}: unknown pre-tokenizer ${quoteText(name, 40)} (\`tokenizer.ggml.pre\`); with another ` +
      "one the model would be given ids that it does not know",
    { hint },
  );
}

function sentencePiece(
  metadata: TokenizerMetadata,
  vocabulary: GgufVocabulary,
  { byRole }: SpecialIds,
): TokenizerParts {
  const unknown = byRole.get("unk");
  return sentencePieceParts(vocabulary, {
    addSpacePrefix: metadata.boolean("tokenizer.ggml.add_space_prefix") ?? true,
    unknownToken: unknown === undefined ? null : vocabulary.tokens[unknown],
  });
}

/** @throws FormatError for a merge that is not of two tokens */
function readMerges(metadata: TokenizerMetadata): (readonly [string, string])[] {
  const key = "tokenizer.ggml.merges";
  const merges = metadata.strings(key);
  if (merges === null) {
    throw new FormatError(`${metadata.source}: the metadata has no \`${key}\``, {
      hint: "the tokenizer of such a file cannot be rebuilt; convert the model again",
    });
  }
  // Of two merges of one pair the first counts.
  const different = new Set(merges).size === merges.length ? merges : new Set(merges);
  return Array.from(different, (merge, index) => {
    const space = merge.indexOf(" ", 1);
    if (space > 0) return [merge.slice(0, space), merge.slice(space + 1)];
    throw new FormatError(
      `${metadata.source}: expected two tokens with a space between them in \`${key}\`, got ` +
        `${quoteText(merge, 40)} (merge ${index})`,
    );
  });
}

/** What stands around a text. */
interface Around {
  readonly before: number | null;
  readonly after: number | null;
  readonly notices: readonly string[];
}

function readAround(metadata: TokenizerMetadata, { byRole }: SpecialIds, { pre }: Kind): Around {
  const notices: string[] = [];
  const idOf = (role: "bos" | "eos", byDefault: boolean): number | null => {
    const key = `tokenizer.ggml.add_${role}_token`;
    const said = metadata.boolean(key);
    // Gemma 4 takes no text without its start token, whatever files say.
    const wanted = role === "bos" && pre?.spelling === "text" && byDefault ? true : said;
    if (!(wanted ?? byDefault)) return null;
    const id = byRole.get(role) ?? null;
    if (id === null && said) {
      notices.push(
        `\`${key}\` asks for a token around texts that the file does not name: none is put`,
      );
    }
    return id;
  };
  const before = idOf("bos", pre?.addBos ?? true);
  return { before, after: idOf("eos", false), notices };
}

function template({ tokens }: GgufVocabulary, { before, after }: Around): object {
  const piece = (id: number | null, type: number): object[] =>
    id === null ? [] : [{ SpecialToken: { id: tokens[id], type_id: type } }];
  const text = (id: "A" | "B", type: number): object[] => [
    ...piece(before, type),
    { Sequence: { id, type_id: type } },
    ...piece(after, type),
  ];
  const named = [before, after].flatMap((id) => (id === null ? [] : [id]));
  return {
    type: "TemplateProcessing",
    single: text("A", 0),
    pair: [...text("A", 0), ...text("B", 1)],
    special_tokens: Object.fromEntries(
      named.map((id) => [tokens[id], { id: tokens[id], ids: [id], tokens: [tokens[id]] }]),
    ),
  };
}

/** Tokens that are found in a text before anything else is done with it. */
function addedTokens(
  metadata: TokenizerMetadata,
  { tokens, types, ids }: GgufVocabulary,
  { named }: SpecialIds,
): object[] {
  const takesSpaces = /phi-?3/i.test(metadata.string("general.name") ?? "");
  const keepsSpaces = new Set(["<unk>", "<s>", "<|endoftext|>"]);
  const added: object[] = [];
  const { normal, control, unknown, userDefined } = tokenTypes;
  for (const [content, id] of ids) {
    const type = named.text.has(id) ? userDefined : (types?.[id] ?? normal);
    const special = type !== userDefined && (type === control || type === unknown);
    const isControl = special || (named.control.has(id) && !named.text.has(id));
    if (!isControl && type !== userDefined) continue;
    const rstrip = takesSpaces && !keepsSpaces.has(tokens[id]);
    const flags = { single_word: false, lstrip: false, rstrip, normalized: false };
    added.push({ id, content, ...flags, special: isControl });
  }
  return added;
}

const settingRoles: readonly TokenRole[] = ["bos", "eos", "unk", "sep", "pad", "mask"];

function settings({ tokens }: GgufVocabulary, { byRole }: SpecialIds, { pre }: Kind): object {
  const named = settingRoles.flatMap((role) => {
    const id = byRole.get(role);
    return id === undefined ? [] : [[`${role}_token`, tokens[id]] as const];
  });
  return {
    tokenizer_class: "PreTrainedTokenizerFast",
    ...Object.fromEntries(named),
    clean_up_tokenization_spaces: pre?.cleanSpaces ?? false,
  };
}

function generationIds({ byRole, ends }: SpecialIds): GenerationIds {
  const bos = byRole.get("bos");
  const pad = byRole.get("pad");
  return {
    ...(bos === undefined ? {} : { bos_token_id: bos }),
    ...(ends.length === 0 ? {} : { eos_token_id: ends.length === 1 ? ends[0] : ends }),
    ...(pad === undefined ? {} : { pad_token_id: pad }),
  };
}
