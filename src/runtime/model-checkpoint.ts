import type { Checkpoint } from "../formats/checkpoint.ts";
import { sameMatrix } from "../formats/compare-tensors.ts";
import { quantizedEntries } from "../formats/fewbit-format.ts";
import type { TensorPart } from "../formats/tensor-parts.ts";
import { type ModelFiles, readModelRecord } from "../formats/model-files.ts";
import {
  type QuantizationConfig,
  type QuantizedModule,
  readQuantizationConfig,
} from "../formats/quantization-config.ts";
import { configNotices, tokenNotices } from "../models/config-notices.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import {
  describeEmbeddingAndHead,
  describeLinears,
  expectedTensors,
  expectShapeOf,
  storedForms,
} from "../models/decoder-tensors.ts";
import { fusedTensors } from "../models/fused-tensors.ts";
import { type Composite, isOfOtherPart, withOwnHead } from "../models/composite.ts";
import { findLanguage, readModelConfig } from "../models/index.ts";
import type { VocabularyTable } from "../nn/quantizable-model.ts";
import { UnsupportedError } from "../util/errors.ts";
import { type CheckpointOptions, openAnyCheckpoint } from "./open-checkpoint.ts";
import { expectBlocks, expectExperts, expectOtherNames, judgeUnused } from "./unused-tensors.ts";

/** A checkpoint with what its configuration and its headers say of the model. */
export interface ModelCheckpoint {
  /** What belongs to the model; its config.json says what counts. The caller closes it. */
  readonly checkpoint: Checkpoint;
  /** All that is stored, on the same files. */
  readonly stored: Checkpoint;
  /** Names of stored tensors that do not belong to the model. */
  readonly unused: ReadonlySet<string>;
  /** Names of tensors of other parts than the language model; an output has them as they are. */
  readonly carried: ReadonlySet<string>;
  readonly config: DecoderConfig;
  /** What a user should know, a line each. */
  readonly notices: readonly string[];
}

/**
 * Opens a checkpoint (a directory or a GGUF file) and finds out what of it makes up its model. Tensors that the model
 * does not use are left out. An output head of its own counts although `tie_word_embeddings` says
 * that there is none, as in transformers; where only the head is stored, it is the embedding too.
 * @throws FormatError when files are missing, malformed or do not belong together
 * @throws UnsupportedError for models that fewbit cannot run, adapters, and foreign quantizations
 */
export async function openModelCheckpoint(
  path: string,
  options?: CheckpointOptions,
): Promise<ModelCheckpoint> {
  const opened = await openAnyCheckpoint(path, options);
  try {
    return await describeModel(opened);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function describeModel(opened: Checkpoint): Promise<ModelCheckpoint> {
  const json = opened.config;
  const quantization = readQuantizationConfig(json);
  const modules = quantization?.modules ?? new Map<string, QuantizedModule>();
  const stated = readKnownConfig(opened, quantization);
  const stored = withBase(withExperts(opened, stated), stated, modules);
  const blocks = expectBlocks(stated, stored.tensors.keys());
  expectExperts(stated, stored.tensors.keys());
  const { tied, aliases, copies, ownHead } = await readTies(stored, stated, modules);
  const kvCache = quantization?.kvCache ?? null;
  const config = { ...stated, tiedEmbeddings: tied, kvCache };
  // Where no block is found, the names of the first say what is amiss, however many are counted.
  const found = { ...config, layers: config.layers.slice(0, Math.max(1, blocks)) };
  const names = usedNames(found, modules, aliases);
  const { composite } = findLanguage(json);
  const unused = [...stored.tensors.keys()].filter((name) => !names.has(name));
  const carried = new Set(
    unused.filter((name) => composite && isOfOtherPart(composite.others, name)),
  );
  const strange = unused.filter((name) => !copies.has(name) && !carried.has(name));
  const leftOut = judgeUnused(strange, layersOf(found));
  expectOtherNames(names.keys(), stored, strange);
  const effective = ownHead ? withOwnHead(json) : json;
  const kept = [...stored.tensors.keys()].filter((name) => names.has(name) || carried.has(name));
  return {
    checkpoint: stored.select(
      effective,
      new Map(kept.map((name) => [names.get(name) ?? name, name])),
      storedForms(config),
    ),
    stored,
    unused: new Set(unused.filter((name) => !carried.has(name))),
    carried,
    config,
    notices: [
      ...configNotices(json, config),
      ...(await fileNotices(stored.files, config)),
      ...stored.notices,
      ...(await stored.files.notices()),
      ...(ownHead ? [ownHead] : []),
      ...leftOut,
      ...carriedNotices(carried, composite),
    ],
  };
}

/**
 * Returns the checkpoint with a tensor for each layer of each expert, where it holds those of all
 * experts of a block in one.
 * @throws FormatError when such a tensor has not the shape that config.json asks for
 */
function withExperts(opened: Checkpoint, config: DecoderConfig): Checkpoint {
  const layers = config.layers.slice(0, opened.tensors.size);
  const split = new Map<string, readonly TensorPart[]>();
  for (const [name, { shape, parts }] of fusedTensors({ ...config, layers })) {
    if (!opened.has(name)) continue;
    expectShapeOf(name, opened.info(name).shape, shape);
    split.set(name, parts);
  }
  return split.size === 0 ? opened : opened.split(split);
}

/**
 * Reads a config.json whose model fewbit can run.
 * @throws UnsupportedError about the field `model_type` for any other
 * @throws FormatError when a field is missing or wrong
 */
function readKnownConfig(
  { config: json, tensors }: Checkpoint,
  quantization: QuantizationConfig | null,
): DecoderConfig {
  try {
    return readModelConfig(json, tensors.keys());
  } catch (error) {
    if (!(error instanceof UnsupportedError)) throw error;
    const about = { field: "model_type", value: json.model_type, cause: error };
    if (!quantization?.notes.generic) {
      throw new UnsupportedError(error.message, { hint: error.hint, ...about });
    }
    throw new UnsupportedError(
      `the model was quantized with \`generic\`, and fewbit cannot run it: ${error.message}`,
      { hint: "export it with `format: hf`: other programs run its decoded weights", ...about },
    );
  }
}

/**
 * Returns the checkpoint under the names of the whole model, where it is stored under those of the
 * base model, which has no head: without what these begin with.
 */
function withBase(
  opened: Checkpoint,
  config: DecoderConfig,
  modules: ReadonlyMap<string, QuantizedModule>,
): Checkpoint {
  const { base } = config.names;
  const stored = [...opened.tensors.keys()];
  const layers = config.layers.slice(0, stored.length);
  const expected = usedNames({ ...config, layers }, modules, new Map());
  const names = stored.map((name) => {
    const whole = base + name.replace(/^model\.(?=layers\.)/, "");
    return [
      expected.has(whole) && !expected.has(name) && !opened.has(whole) ? whole : name,
      name,
    ] as const;
  });
  if (names.every(([whole, name]) => whole === name)) return opened;
  return opened.select(opened.config, new Map(names));
}

/** What is to be said of parts that are not computed. */
function carriedNotices(names: ReadonlySet<string>, composite: Composite | null): string[] {
  if (!composite) return [];
  const parts = composite.others.filter((part) =>
    [...names].some((name) => isOfOtherPart([part], name)),
  );
  const others = parts.length > 0 ? parts.join(", ") : "nothing is stored";
  return [
    `of this ${composite.title} only the language model is computed, with text: images are left ` +
      `out; of other parts, which stay as they are: ${others}`,
  ];
}

/** What is to be said of the files beside config.json. */
async function fileNotices(files: ModelFiles, config: DecoderConfig): Promise<string[]> {
  const adapter = (await files.text("adapter_config.json")) !== null;
  const name = "generation_config.json";
  const settings = (await readModelRecord(files, name)) ?? {};
  return [
    ...tokenNotices(name, settings, config.vocabularySize),
    ...(adapter ? ["the adapter of adapter_config.json is not applied: merge it first"] : []),
  ];
}

/** Whether embedding and head are one table, and how their names are stored. */
interface Ties {
  readonly tied: boolean;
  /** Names in the model by stored names, where they are not the same. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Stored tensors that repeat others. */
  readonly copies: ReadonlySet<string>;
  /** What is to be said where the head is not the embedding although config.json says so. */
  readonly ownHead: string | null;
}

async function readTies(
  stored: Checkpoint,
  config: DecoderConfig,
  modules: ReadonlyMap<string, QuantizedModule>,
): Promise<Ties> {
  const asStated = { tied: config.tiedEmbeddings, aliases: new Map(), copies: new Set<string>() };
  const tables = tablesOf(config);
  const [embedding, head] = [`${tables.embedding.module}.weight`, `${tables.head.module}.weight`];
  const isPacked = modules.has(tables.embedding.module) || modules.has(tables.head.module);
  const hasHead = stored.has(head) || modules.has(tables.head.module);
  if (!config.tiedEmbeddings || !hasHead) return { ...asStated, ownHead: null };
  if (!isPacked) {
    if (!stored.has(embedding)) {
      return { ...asStated, aliases: new Map([[head, embedding]]), ownHead: null };
    }
    if (await sameMatrix(stored, embedding, head)) {
      return { ...asStated, copies: new Set([head]), ownHead: null };
    }
  }
  const ownHead =
    `the checkpoint has an output head of its own (${head}), although tie_word_embeddings is true ` +
    "in config.json: the head is used";
  return { ...asStated, tied: false, ownHead };
}

/** Names in the model of all tensors that it uses, by stored names. */
function usedNames(
  config: DecoderConfig,
  modules: ReadonlyMap<string, QuantizedModule>,
  aliases: ReadonlyMap<string, string>,
): Map<string, string> {
  const names = new Map<string, string>();
  for (const [name] of expectedTensors(config)) {
    const module = name.replace(/\.weight$/, "");
    const packed = name === module ? undefined : modules.get(module);
    const entries = packed ? quantizedEntries(module, packed) : [{ name }];
    for (const entry of entries) names.set(entry.name, entry.name);
  }
  for (const [from, name] of aliases) {
    names.delete(name);
    names.set(from, name);
  }
  return names;
}

function tablesOf(config: DecoderConfig): Readonly<Record<"embedding" | "head", VocabularyTable>> {
  const [embedding, head] = describeEmbeddingAndHead({ ...config, tiedEmbeddings: false });
  return { embedding, head };
}

/** Names of linears, embedding and head. */
function layersOf(config: DecoderConfig): ReadonlySet<string> {
  const { embedding, head } = tablesOf(config);
  const linears = describeLinears(config).map(({ module }) => module);
  return new Set([...linears, embedding.module, head.module]);
}
