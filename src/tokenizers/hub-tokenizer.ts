import { FormatError, UnsupportedError } from "../util/errors.ts";
import { type ChatTemplateFiles, ChatTemplates } from "./chat-template-source.ts";
import { library, type LibraryDecoder, type LibraryTokenizer } from "./library.ts";
import { LazyTextEncoder } from "./text-encoder.ts";
import type { DecodeOptions, EncodeOptions, Tokenizer } from "./tokenizer.ts";
import {
  type ModelTokenIds,
  parseDefinition,
  parseSettings,
  type TokenizerDefinition,
  type TokenizerSettings,
} from "./tokenizer-definition.ts";

/** What a tokenizer is made of: parsed JSON files of a checkpoint. */
export interface TokenizerFiles {
  /** `tokenizer.json`. */
  readonly definition: unknown;
  /** `tokenizer_config.json`. */
  readonly settings?: unknown;
  /** Chat templates that stand elsewhere than in the settings. */
  readonly chatTemplates?: ChatTemplateFiles;
  /** `generation_config.json` and `config.json`, the one that counts more first. */
  readonly modelTokenIds?: readonly ModelTokenIds[];
}

class HubTokenizer implements Tokenizer {
  readonly vocabularySize: number;
  readonly bosId: number | null;
  readonly eosIds: readonly number[];
  readonly startIds: readonly number[];
  readonly specialIds: ReadonlySet<number>;
  readonly chatTemplates: ChatTemplates;
  readonly specialTokens: ReadonlyMap<string, string>;
  readonly bosToken: string | null;
  readonly eosToken: string | null;
  private readonly endIds: readonly number[];
  private readonly parts: LibraryTokenizer;
  private readonly encoder: LazyTextEncoder;
  private readonly names: readonly (string | undefined)[];

  constructor(files: TokenizerFiles) {
    const definition = parseDefinition(files.definition);
    const settings = parseSettings(files.settings ?? {});
    this.parts = openLibrary(definition);
    const { model, normalizer } = this.parts;
    this.names = model.vocab;
    this.vocabularySize = model.vocab.length;
    this.encoder = new LazyTextEncoder(definition, normalizer, model);
    this.specialIds = new Set(
      definition.added_tokens.filter((token) => token.special).map((token) => token.id),
    );
    this.chatTemplates = new ChatTemplates({
      ...files.chatTemplates,
      settings: settings.chat_template,
    });
    this.specialTokens = namedTokens(settings);

    const modelIds = files.modelTokenIds ?? [];
    const bosFromModel = files.settings === undefined ? firstIds(modelIds, "bos_token_id") : [];
    const named = (token: string | null) => (token === null ? null : this.tokenToId(token));
    this.bosId = named(settings.bos_token) ?? bosFromModel[0] ?? null;
    const eos = named(settings.eos_token);
    this.eosIds = [
      ...new Set([...(eos === null ? [] : [eos]), ...firstIds(modelIds, "eos_token_id")]),
    ];
    this.bosToken = settings.bos_token ?? (this.bosId === null ? null : this.idToToken(this.bosId));
    const [firstEos] = this.eosIds;
    this.eosToken =
      settings.eos_token ?? (firstEos === undefined ? null : this.idToToken(firstEos));
    const around = this.idsAround();
    this.startIds = withOrWithout(around.before, this.bosId, settings.add_bos_token);
    this.endIds = withOrWithout(around.after, eos, settings.add_eos_token);
  }

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const ids: number[] = options.addSpecial ? [...this.startIds] : [];
    for (const some of this.encoder.encode(text)) for (const id of some) ids.push(id);
    if (options.addSpecial) ids.push(...this.endIds);
    return Int32Array.from(ids);
  }

  encodeLazily(text: string): Iterable<readonly number[]> {
    return this.encoder.encode(text);
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const tokens: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const name = this.names[ids[i]];
      if (name === undefined || (options.skipSpecial && this.specialIds.has(ids[i]))) continue;
      tokens.push(name);
    }
    const { decoder } = this.parts;
    return decoder ? decoder.decode(tokens) : tokens.join(" ");
  }

  tokenToId(token: string): number | null {
    return this.parts.model.tokens_to_ids.get(token) ?? null;
  }

  idToToken(id: number): string | null {
    return this.names[id] ?? null;
  }

  /** Finds what the post-processor puts around a text, by giving it a mark instead of one. */
  private idsAround(): { before: number[]; after: number[] } {
    const { post_processor: postProcessor } = this.parts;
    if (!postProcessor) return { before: [], after: [] };
    const mark = "\u0000text\u0000";
    const { tokens } = postProcessor.post_process([mark], null, true);
    const at = tokens.indexOf(mark);
    return { before: this.idsOf(tokens.slice(0, at)), after: this.idsOf(tokens.slice(at + 1)) };
  }

  private idsOf(tokens: readonly string[]): number[] {
    return tokens.map((token) => {
      const id = this.tokenToId(token);
      if (id !== null) return id;
      throw new FormatError(
        `tokenizer.json puts "${token}" around a text, but this token is not in its vocabulary`,
      );
    });
  }
}

function openLibrary(definition: TokenizerDefinition): LibraryTokenizer {
  if (definition.model.type === "BPE" && definition.model.continuing_subword_prefix) {
    throw new UnsupportedError("the tokenizer's BPE model has a continuing_subword_prefix");
  }
  // The pre-tokenizer is ours (pre-tokenization.ts), and types that the library does not know are
  // refused there with a better message.
  const forLibrary = { ...definition, pre_tokenizer: null };
  try {
    const opened = new library.Tokenizer(forLibrary, {});
    if (opened.decoder) keepByteOrderMarks(opened.decoder);
    return opened;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UnsupportedError(`cannot make a tokenizer of this tokenizer.json: ${reason}`, {
      cause,
    });
  }
}

/** A TextDecoder drops a leading U+FEFF unless told not to; a decoder must keep it. */
function keepByteOrderMarks(decoder: LibraryDecoder): void {
  if (decoder.text_decoder) decoder.text_decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  for (const part of decoder.decoders ?? []) keepByteOrderMarks(part);
}

/** Texts of the tokens with a role: `bos_token`, `pad_token`, `image_token`, … */
function namedTokens(settings: TokenizerSettings): ReadonlyMap<string, string> {
  const named = new Map<string, string>();
  for (const [name, value] of Object.entries(settings)) {
    const token: unknown =
      typeof value === "object" && value !== null && "content" in value ? value.content : value;
    if (name.endsWith("_token") && typeof token === "string") named.set(name, token);
  }
  return named;
}

function firstIds(
  sources: readonly ModelTokenIds[],
  key: "bos_token_id" | "eos_token_id",
): number[] {
  for (const source of sources) {
    const value = source[key];
    if (value !== null && value !== undefined) return typeof value === "number" ? [value] : value;
  }
  return [];
}

/** Obeys `add_bos_token` and `add_eos_token` where they are set; else the post-processor rules. */
function withOrWithout(
  around: readonly number[],
  id: number | null,
  wanted: boolean | null | undefined,
): readonly number[] {
  if (id === null || wanted === null || wanted === undefined) return around;
  if (wanted) return around.includes(id) ? around : [id, ...around];
  return around.filter((other) => other !== id);
}

/**
 * Makes a tokenizer of the parsed files of a checkpoint.
 * @throws FormatError when they are malformed
 * @throws UnsupportedError when they ask for something that fewbit does not know
 */
export function createTokenizer(files: TokenizerFiles): Tokenizer {
  return new HubTokenizer(files);
}
