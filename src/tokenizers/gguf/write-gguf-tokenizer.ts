import * as z from "zod";
import { GgufMetadata, type GgufValue } from "../../formats/gguf/gguf-metadata.ts";
import type { ModelFiles } from "../../formats/model-files.ts";
import { FewbitError, UnsupportedError } from "../../util/errors.ts";
import { quoteText } from "../../util/quote-text.ts";
import { numberAddedTokens } from "../added-vocabulary.ts";
import { BpeModel, type BpeOptions, bpeOptions } from "../bpe-model.ts";
import type { ChatTemplates } from "../chat-template-source.ts";
import { checkPart, partOf } from "../components.ts";
import { createTokenizer, type TokenizerFiles } from "../hub-tokenizer.ts";
import { readTokenizerFiles } from "../load-tokenizer.ts";
import { readSpecialTokens } from "../special-tokens.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { parseDefinition, type TokenizerDefinition } from "../tokenizer-definition.ts";
import { findPreTokenizer } from "./find-pre-tokenizer.ts";
import { checkText } from "./pre-hashes.ts";
import { readGgufTokenizer } from "./read-gguf-tokenizer.ts";
import { mergePairs, scoreTokens, writeMerges } from "./written-merges.ts";
import { describeRoles } from "./written-roles.ts";
import { listTokens } from "./written-tokens.ts";

/** How a tokenizer is written. */
export interface WriteTokenizerOptions {
  /** Rows of the model's embedding: as many tokens are written. */
  readonly vocabularySize: number;
  /** Name of the pre-tokenizer in llama.cpp; null (default) to find it by what it does. */
  readonly pre?: string | null;
}

/** A tokenizer as metadata of a GGUF file. */
export interface WrittenTokenizer {
  /** Values by their keys, all of which begin with `tokenizer.`. */
  readonly entries: ReadonlyMap<string, GgufValue>;
  /** What a person should know of it, a sentence each. */
  readonly notices: readonly string[];
}

/**
 * Describes the tokenizer of a model in the metadata of a GGUF file, as llama.cpp reads it, and reads
 * that back to see that the ids are the same.
 * @throws UnsupportedError for a tokenizer that llama.cpp does not have
 * @throws UsageError for a `pre` that llama.cpp does not know
 * @throws FormatError for malformed files
 */
export async function writeGgufTokenizer(
  files: ModelFiles,
  options: WriteTokenizerOptions,
): Promise<WrittenTokenizer> {
  return describeTokenizer(await readTokenizerFiles(files), options);
}

/** The same, of files that are read already. */
export function describeTokenizer(
  files: TokenizerFiles,
  { vocabularySize: rows, pre = null }: WriteTokenizerOptions,
): WrittenTokenizer {
  const source = readSource(files);
  const { tokenizer, isText, model } = source;
  const notices: string[] = [];
  const unknown = model.unk_token ?? null;
  const listed = listTokens(source.vocabulary, source.added, { rows, isText, unknown });
  const entries = new Map<string, GgufValue>([
    ["tokenizer.ggml.model", { type: "string", value: isText ? "llama" : "gpt2" }],
    ["tokenizer.ggml.tokens", strings(listed.tokens)],
    ["tokenizer.ggml.token_type", { ...array("i32", rows), values: listed.types }],
  ]);
  if (isText) {
    const scores = scoreTokens(model, listed.tokens, listed.types);
    entries.set("tokenizer.ggml.pre", { type: "string", value: "default" });
    entries.set("tokenizer.ggml.scores", { ...array("f32", rows), values: scores });
    const prefix = spacePrefix(source.definition);
    entries.set("tokenizer.ggml.add_space_prefix", { type: "bool", value: prefix !== "never" });
    if (prefix === "first") notices.push(onlyFirst);
    if (!hasBytes(listed.tokens)) notices.push(noBytes);
  } else {
    const preTokenizer = source.definition.pre_tokenizer;
    const ignoreMerges = model.ignore_merges === true;
    const name = findPreTokenizer({ tokenizer, preTokenizer, ignoreMerges }, pre);
    entries.set("tokenizer.ggml.pre", { type: "string", value: name });
    entries.set("tokenizer.ggml.merges", strings(writeMerges(mergePairs(model))));
    if (composes(source.definition.normalizer)) notices.push(notComposed);
  }
  const roles = describeRoles(tokenizer, files, rows);
  for (const [key, value] of roles.entries) entries.set(key, value);
  const templates = chatTemplates(tokenizer.chatTemplates);
  for (const [key, value] of templates.entries) entries.set(key, value);
  notices.push(...listed.notices, ...roles.notices, ...templates.notices);
  const texts = isText && !hasBytes(listed.tokens) ? knownPartsOf(probes, listed.tokens) : probes;
  notices.push(...expectSameIds(tokenizer, entries, { texts, isNamed: pre !== null }));
  return { entries, notices };
}

const hasBytes = (tokens: readonly string[]): boolean => tokens.includes("<0x0A>");

/** Takes the characters out of texts that are no tokens. */
function knownPartsOf(texts: readonly string[], tokens: readonly string[]): string[] {
  const known = new Set([...tokens, " "]);
  return texts.map((text) => [...text].filter((character) => known.has(character)).join(""));
}

const onlyFirst =
  "llama.cpp puts a space in front of what follows a special token, this tokenizer only in front of a text";
const noBytes =
  "the tokenizer has no tokens for bytes: llama.cpp ends at the first character that it does not have";
const notComposed =
  "the tokenizer composes accents (NFC) before it cuts text, llama.cpp does not: text that is not " +
  "composed gets other ids there";

const array = <E extends string>(elements: E, length: number) =>
  ({ type: "array", elements, length }) as const;
const strings = (values: readonly string[]): GgufValue => ({
  ...array("string", values.length),
  values,
});

interface Source {
  readonly definition: TokenizerDefinition;
  readonly tokenizer: Tokenizer;
  readonly model: BpeOptions;
  readonly vocabulary: BpeModel;
  readonly added: ReturnType<typeof numberAddedTokens>;
  /** Whether tokens are spelled as text, with U+2581 for spaces: SentencePiece. */
  readonly isText: boolean;
}

/** @throws UnsupportedError for anything but a byte-pair encoding */
function readSource(files: TokenizerFiles): Source {
  const file = files.path ?? "tokenizer.json";
  const definition = parseDefinition(files.definition, file);
  const tokenizer = createTokenizer({ ...files, embeddingRows: undefined });
  const typed = z.looseObject({ type: z.string().nullish() }).safeParse(definition.model);
  const type = typed.data?.type ?? "BPE";
  const suffixes = typed.data?.end_of_word_suffix || typed.data?.continuing_subword_prefix;
  if (type !== "BPE" || suffixes) {
    throw new UnsupportedError(
      `${file}: a tokenizer ${suffixes ? "with prefixes or suffixes of words" : `of the type ${type}`}` +
        " does not go into a GGUF file",
      { hint: "llama.cpp has byte-pair encodings in bytes (GPT-2) and SentencePiece's" },
    );
  }
  const model = checkPart(bpeOptions, definition.model, partOf(file, "model"));
  const vocabulary = new BpeModel(model, partOf(file, "model"));
  const { added } = readSpecialTokens(files);
  const isText = !mentions(definition.decoder, "ByteLevel");
  if (isText && !mentions(definition, "\u2581")) {
    throw new UnsupportedError(
      `${file}: tokens are spelled neither in bytes nor with U+2581 for spaces`,
      {
        hint: "llama.cpp has byte-pair encodings in bytes (GPT-2) and SentencePiece's",
      },
    );
  }
  return {
    definition,
    tokenizer,
    model,
    vocabulary,
    added: numberAddedTokens([definition.added_tokens, added], vocabulary),
    isText,
  };
}

/** Tells whether a text stands anywhere in a part of a `tokenizer.json`, its model apart. */
function mentions(part: unknown, text: string): boolean {
  const skipsModel = (key: string, value: unknown): unknown =>
    key === "model" ? undefined : value;
  return JSON.stringify(part ?? null, skipsModel).includes(text);
}

const normalizers = z.looseObject({
  type: z.string(),
  normalizers: z.array(z.unknown()).optional(),
});

function composes(normalizer: unknown): boolean {
  const found = normalizers.safeParse(normalizer);
  if (!found.success) return false;
  return found.data.type === "NFC" || (found.data.normalizers ?? []).some(composes);
}

/** Where a space is put that a text does not have: before each part of it, the first one, or none. */
function spacePrefix({
  normalizer,
  pre_tokenizer,
}: TokenizerDefinition): "always" | "first" | "never" {
  if (mentions(normalizer, '"Prepend"')) return "always";
  const metaspace = z
    .looseObject({ type: z.literal("Metaspace"), prepend_scheme: z.string().default("always") })
    .safeParse(pre_tokenizer);
  if (!metaspace.success) return "never";
  const scheme = metaspace.data.prepend_scheme;
  return scheme === "first" || scheme === "never" ? scheme : "always";
}

function chatTemplates(templates: ChatTemplates): WrittenTokenizer {
  const entries = new Map<string, GgufValue>();
  const notices: string[] = [];
  try {
    const names = templates.names();
    for (const name of names) {
      const key = name === "default" ? "" : `.${name}`;
      entries.set(`tokenizer.chat_template${key}`, {
        type: "string",
        value: templates.choose(name),
      });
    }
    const named = names.filter((name) => name !== "default");
    if (named.length > 0) entries.set("tokenizer.chat_templates", strings(named));
  } catch (error) {
    if (!(error instanceof FewbitError)) throw error;
    notices.push(`no chat template is written: ${error.message}`);
    entries.clear();
  }
  return { entries, notices };
}

/** Texts that show whether two tokenizers are alike; composed, since llama.cpp composes nothing. */
const probes: readonly string[] = [
  checkText,
  "It's LATE, we'll pay $1,234.50; they'RE 1st\u00a0!  x  \r\n\r\n\tend \n",
  "for (i = 0; i < 10; ++i) { a[i] += 0x1F; } // ~~ naïve café ¿Qué? Ünïcode ΑΒΓ ά ﬁ ½ ² Ⅷ",
  "नमस्ते दुनिया १२३ สวัสดี مرحبا ١٢٣ שלום 안녕하세요 日本語テスト、𝒜𐐀𠀀 👩‍👩‍👧 🇪🇺 \u200b \ufeff\u0000\u007f",
].map((text) => text.normalize("NFC"));

/**
 * Reads the metadata back and compares ids of some texts.
 * @returns a notice when they differ though the pre-tokenizer was named by hand
 * @throws UnsupportedError when they differ
 */
function expectSameIds(
  tokenizer: Tokenizer,
  entries: ReadonlyMap<string, GgufValue>,
  { texts, isNamed }: { readonly texts: readonly string[]; readonly isNamed: boolean },
): string[] {
  const { definition, settings } = readGgufTokenizer(new GgufMetadata("the GGUF file", entries));
  const written = createTokenizer({ definition, settings });
  const other = texts.find((text) => tokenizer.encode(text).join() !== written.encode(text).join());
  if (other === undefined) return [];
  const [ours, theirs] = [tokenizer, written].map((each) => each.encode(other));
  const at = ours.findIndex((id, i) => id !== theirs[i]);
  const place = at < 0 ? ours.length : at;
  const what =
    "llama.cpp encodes text otherwise than this tokenizer: behind " +
    `${quoteText(tokenizer.decode(ours.subarray(Math.max(0, place - 8), place)), 60)} it has ` +
    `${quoteText(written.decode(theirs.subarray(place, place + 4)), 60)} in other tokens`;
  if (isNamed) return [what];
  throw new UnsupportedError(what, {
    hint: "the model would be given ids that it does not know; a GGUF file cannot say what this one does",
  });
}
