import { FormatError, UsageError } from "../util/errors.ts";
import type { FoundToken } from "./added-tokens.ts";
import { numberAddedTokens } from "./added-vocabulary.ts";
import { type ChatTemplateFiles, ChatTemplates } from "./chat-template-source.ts";
import { partOf } from "./components.ts";
import { makeDecoder, type TokenDecoder } from "./decoders.ts";
import { makeModel } from "./make-model.ts";
import { makeNormalizer } from "./normalizers.ts";
import { watchPatterns } from "./pattern.ts";
import { type IdsAround, idsAround } from "./post-processing.ts";
import { preTokenizationStages } from "./pre-tokenization.ts";
import { readSpecialTokens } from "./special-tokens.ts";
import { LazyTextEncoder, normalizedContent } from "./text-encoder.ts";
import type { TokenModel } from "./token-model.ts";
import { spellingOf, type TokenSpelling } from "./token-spelling.ts";
import type { DecodeOptions, EncodeOptions, Tokenizer } from "./tokenizer.ts";
import {
  type ModelTokenIds,
  parseDefinition,
  parseSettings,
  type TokenizerDefinition,
} from "./tokenizer-definition.ts";

/** What a tokenizer is made of: parsed JSON files of a checkpoint. */
export interface TokenizerFiles {
  /** `tokenizer.json`. */
  readonly definition: unknown;
  /** `tokenizer_config.json`. */
  readonly settings?: unknown;
  /** `special_tokens_map.json`. */
  readonly specialTokensMap?: unknown;
  /** `added_tokens.json`. */
  readonly addedTokens?: unknown;
  /** Chat templates that stand elsewhere than in the settings. */
  readonly chatTemplates?: ChatTemplateFiles;
  /** `generation_config.json` and `config.json`, the one that counts more first. */
  readonly modelTokenIds?: readonly ModelTokenIds[];
  /** Rows of the model's embedding: a text that yields another id is refused. */
  readonly embeddingRows?: number | undefined;
  /** Where `tokenizer.json` is, for messages. */
  readonly path?: string;
}

class HubTokenizer implements Tokenizer {
  readonly vocabularySize: number;
  readonly bosId: number | null;
  readonly eosIds: readonly number[];
  readonly specialIds: ReadonlySet<number>;
  readonly spelling: TokenSpelling;
  readonly chatTemplates: ChatTemplates;
  readonly specialTokens: ReadonlyMap<string, string>;
  readonly bosToken: string | null;
  readonly eosToken: string | null;
  private readonly around: IdsAround;
  /** One more than the largest id that the model takes. */
  private readonly limit: number;
  /** Whether there are tokens that the model does not take. */
  private readonly hasMore: boolean;
  private readonly encoder: LazyTextEncoder;
  private readonly decoder: TokenDecoder | null;
  private readonly file: string;
  private readonly model: TokenModel;
  private readonly addedIds: ReadonlyMap<string, number>;
  /** Token of each id, as it is decoded. */
  private readonly names = new Map<number, string>();
  /** Names that are left out with `skipSpecial`. */
  private readonly specialNames: ReadonlySet<string>;

  constructor(files: TokenizerFiles) {
    this.file = files.path ?? "tokenizer.json";
    const definition = parseDefinition(files.definition, this.file);
    const settings = parseSettings(files.settings ?? {});
    const { named, added } = readSpecialTokens(files);
    this.specialTokens = named;
    this.spelling = spellingOf(definition.decoder);
    this.model = makeModel(definition.model, partOf(this.file, "model"));
    const found = numberAddedTokens([definition.added_tokens, added], this.model);
    const special = [...found.values()].filter((token) => token.special);
    this.specialIds = new Set(special.map(({ id }) => id));
    this.specialNames = new Set(special.map(({ content }) => content));
    this.addedIds = new Map([...found.values()].map(({ content, id }) => [content, id]));
    const place = (part: string): string => partOf(this.file, part);
    const normalizer = made(definition.normalizer, makeNormalizer, place("normalizer"));
    this.decoder = made(definition.decoder, makeDecoder, place("decoder"));
    this.encoder = this.makeEncoder(definition, normalizer, [...found.values()]);
    this.chatTemplates = new ChatTemplates({
      ...files.chatTemplates,
      settings: settings.chat_template,
    });

    for (const [token, id] of this.model.entries()) this.names.set(id, token);
    for (const token of found.values()) {
      this.names.set(token.id, normalizedContent(token, normalizer));
    }
    let size = 0;
    for (const id of this.names.keys()) size = Math.max(size, id + 1);
    this.limit = files.embeddingRows ?? size;
    this.vocabularySize = Math.min(size, this.limit);
    this.hasMore = size > this.limit;

    const modelIds = files.modelTokenIds ?? [];
    const bosFromModel = files.settings === undefined ? firstIds(modelIds, "bos_token_id") : [];
    this.bosId = this.idOf(named.get("bos_token")) ?? bosFromModel[0] ?? null;
    const eos = this.idOf(named.get("eos_token"));
    const eosFromModel = firstIds(modelIds, "eos_token_id");
    this.eosIds = [...new Set([...(eos === null ? [] : [eos]), ...eosFromModel])];
    this.bosToken = named.get("bos_token") ?? this.nameOf(this.bosId);
    this.eosToken = named.get("eos_token") ?? this.nameOf(this.eosIds[0] ?? null);
    this.around = idsAround(definition.post_processor ?? null, place("post_processor"));
    for (const id of [...this.around.before, ...this.around.after]) this.expectToken(id);
  }

  get startIds(): readonly number[] {
    return this.expectTaken(this.around.before);
  }

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const ids: number[] = options.addSpecial ? [...this.startIds] : [];
    for (const some of this.encodeLazily(text)) for (const id of some) ids.push(id);
    if (options.addSpecial) ids.push(...this.expectTaken(this.around.after));
    return new Int32Array(ids);
  }

  *encodeLazily(text: string): Generator<readonly number[]> {
    for (const ids of this.encoder.encode(text)) yield this.hasMore ? this.expectTaken(ids) : ids;
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const tokens: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const name = this.names.get(ids[i]);
      if (name === undefined || (options.skipSpecial && this.specialNames.has(name))) continue;
      tokens.push(name);
    }
    const { decoder } = this;
    if (!decoder) return tokens.join(" ");
    const decode = (): string => decoder.decode(tokens).join("");
    return decoder.needsWatch ? watchPatterns(this.file, tokens.length, decode) : decode();
  }

  tokenToId(token: string): number | null {
    return this.addedIds.get(token) ?? this.model.tokenToId(token) ?? null;
  }

  idToToken(id: number): string | null {
    return this.names.get(id) ?? null;
  }

  private idOf(token: string | undefined): number | null {
    return token === undefined ? null : this.tokenToId(token);
  }

  private nameOf(id: number | null): string | null {
    return id === null ? null : this.idToToken(id);
  }

  /** @throws UsageError for an id outside the model's embedding */
  private expectTaken(ids: readonly number[]): readonly number[] {
    const id = ids.find((each) => each >= this.limit);
    if (id === undefined) return ids;
    const name = JSON.stringify(this.idToToken(id));
    throw new UsageError(
      `token ${id} (${name}) of ${this.file} is not in the vocabulary of ${this.limit} tokens ` +
        "that the model has",
      { hint: "take a text without it, or a checkpoint whose embedding has a row for it" },
    );
  }

  private expectToken(id: number): void {
    if (this.names.has(id)) return;
    throw new FormatError(
      `${this.file}: the post_processor puts the id ${id} around a text, which no token has`,
    );
  }

  private makeEncoder(
    definition: TokenizerDefinition,
    normalizer: ReturnType<typeof makeNormalizer> | null,
    addedTokens: readonly FoundToken[],
  ): LazyTextEncoder {
    const { file, model } = this;
    const stages = preTokenizationStages(
      definition.pre_tokenizer ?? null,
      partOf(file, "pre_tokenizer"),
    );
    return new LazyTextEncoder({ addedTokens, normalizer, stages, model, file });
  }
}

/** Makes a part that may be missing. */
function made<T>(
  config: unknown,
  make: (config: unknown, place: string) => T,
  place: string,
): T | null {
  return config === null || config === undefined ? null : make(config, place);
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

/**
 * Makes a tokenizer of the parsed files of a checkpoint. What stands around a text is what the
 * post-processor says: `add_bos_token` and `add_eos_token` count for nothing beside a
 * `tokenizer.json`, as in transformers 5.
 * @throws FormatError when they are malformed
 * @throws UnsupportedError when they ask for something that fewbit does not know
 */
export function createTokenizer(files: TokenizerFiles): Tokenizer {
  return new HubTokenizer(files);
}
