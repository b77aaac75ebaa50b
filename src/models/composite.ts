import { FormatError, UnsupportedError } from "../util/errors.ts";
import { isJsonRecord, type JsonRecord } from "../util/json.ts";
import type { Architecture, FamilyName } from "./architecture.ts";
import type { DecoderNames } from "./decoder-names.ts";

/** How names of a language model stand in a checkpoint that holds other parts, too. */
interface PartNaming {
  /** In front of all of them. */
  readonly before: string;
  /** In place of what those of the base model begin with; null where that stays. */
  readonly base: string | null;
  /** What checkpoints without the head leave out; null where that is as in the language model. */
  readonly leftOut: string | null;
}

/** The ways in which transformers names a language model that has towers beside it. */
export const namings = {
  /** `model.language_model.layers.0` and `lm_head`, as its modules are called since 4.52. */
  inner: { before: "", base: "model.language_model.", leftOut: "model." },
  /** `language_model.model.layers.0` and `language_model.lm_head`, as most checkpoints are. */
  wrapped: { before: "language_model.", base: null, leftOut: "" },
  /** `model.layers.0` and `lm_head`, as of the language model alone. */
  plain: { before: "", base: null, leftOut: null },
} as const satisfies Readonly<Record<string, PartNaming>>;

/**
 * A family of models of several parts, of which one is a language model of another family. The
 * others, such as the tower that sees images and the layers behind it, are never computed.
 */
export interface Composite extends FamilyName {
  /** Families of its language model by their `model_type`; the first where none is stated. */
  readonly languages: readonly [Architecture, ...Architecture[]];
  /** Whether fields of the language model may stand beside those of the whole. */
  readonly flat?: boolean;
  /** How checkpoints name the language model; the first one where none is found. */
  readonly namings: readonly [PartNaming, ...PartNaming[]];
  /** What names of tensors of the other parts begin with, a `model.` in front apart. */
  readonly others: readonly string[];
}

/** The language model of a config.json. */
export interface LanguagePart {
  readonly architecture: Architecture;
  /** What it says of the language model. */
  readonly fields: JsonRecord;
  /** The family of the whole; null where the language model is all. */
  readonly composite: Composite | null;
}

/**
 * Finds what a config.json of several parts says of the language model.
 * @throws FormatError when there is nothing
 * @throws UnsupportedError for a language model of a family that is not known in this place
 */
export function languagePart(json: JsonRecord, composite: Composite): LanguagePart {
  const { modelType, languages, title } = composite;
  const stated = statedFields(json, composite);
  const type = stated.model_type ?? languages[0].modelType;
  const inner = languages.find((language) => language.modelType === type);
  if (!inner) {
    throw new UnsupportedError(
      `config.json: a language model of the type ${JSON.stringify(type)} in text_config is not ` +
        `supported in a ${modelType}`,
      { hint: `supported: ${languages.map((language) => language.modelType).join(", ")}` },
    );
  }
  const ties = [json.tie_word_embeddings, stated.tie_word_embeddings];
  const tie = ties.find((value) => value === true) ?? ties.find((value) => value === false);
  return {
    architecture: { ...inner, title },
    fields: {
      ...inner.sizes,
      ...stated,
      model_type: inner.modelType,
      ...(tie !== undefined && { tie_word_embeddings: tie }),
    },
    composite,
  };
}

function statedFields(
  json: JsonRecord,
  { modelType, flat = false, languages }: Composite,
): JsonRecord {
  const { text_config: text } = json;
  if (isJsonRecord(text)) return text;
  const none = text === undefined || text === null;
  if (none && flat) return { ...json, model_type: languages[0].modelType };
  throw new FormatError(
    `config.json: expected text_config, which says what the language model of a ${modelType} is, ` +
      `to be an object, got ${none ? "none" : JSON.stringify(text)}`,
    { hint: "the file must be the config.json of a Hugging Face checkpoint" },
  );
}

/**
 * Returns the names of a language model in a checkpoint of several parts.
 * @param stored names of the tensors, of which those of blocks tell how they are named
 */
export function namesWithin(
  { namings: known }: Composite,
  names: DecoderNames,
  stored: Iterable<string>,
): DecoderNames {
  const ways = known.map((naming) => renamed(names, naming));
  for (const name of stored) {
    const found = ways.find(({ blocks }) => name.startsWith(`${blocks}.`));
    if (found) return found;
  }
  return ways[0];
}

function renamed(names: DecoderNames, { before, base, leftOut }: PartNaming): DecoderNames {
  const within = (name: string): string => {
    if (base === null || !name.startsWith(names.base)) return before + name;
    return base + name.slice(names.base.length);
  };
  const maybe = (name: string | null): string | null => (name === null ? null : within(name));
  return {
    ...names,
    blocks: within(names.blocks),
    embedding: within(names.embedding),
    positions: maybe(names.positions),
    projectIn: maybe(names.projectIn),
    projectOut: maybe(names.projectOut),
    norm: maybe(names.norm),
    head: within(names.head),
    base: leftOut ?? names.base,
  };
}

/** Tells by its name whether a tensor is of one of these parts (`Composite.others`). */
export function isOfOtherPart(others: Composite["others"], name: string): boolean {
  const bare = name.replace(/^model\./, "");
  return others.some((part) => bare === part || bare.startsWith(`${part}.`));
}

/** Returns a config.json of several parts, or of one, that says there is a head of its own. */
export function withOwnHead(json: JsonRecord): JsonRecord {
  const { text_config: text } = json;
  return {
    ...json,
    ...(isJsonRecord(text) && { text_config: { ...text, tie_word_embeddings: false } }),
    tie_word_embeddings: false,
  };
}
