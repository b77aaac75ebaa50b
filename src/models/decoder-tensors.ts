import type { VocabularyTable, LinearDescription } from "../nn/quantizable-model.ts";
import type { TensorForm, WeightSource } from "../nn/weight-source.ts";
import { formatShape, type Shape } from "../tensor/shape.ts";
import { FormatError } from "../util/errors.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { NormKey, SlotKey } from "./decoder-names.ts";

/** Size of a linear layer of a block. */
export interface LinearPlan {
  readonly name: string;
  readonly outFeatures: number;
  readonly inFeatures: number;
  readonly bias: boolean;
}

/** Returns the name of block `index` in the checkpoint. */
export function blockName({ names }: DecoderConfig, index: number): string {
  return `${names.blocks}.${index}`;
}

/** The linear layers of a block, in the order in which they are computed. */
export function linearPlans(config: DecoderConfig): ReadonlyMap<SlotKey, LinearPlan> {
  const { hiddenSize: hidden, intermediateSize: inner, biases, names } = config;
  const queryWidth = config.heads * config.headDim;
  const keyWidth = config.kvHeads * config.headDim;
  const sizes: readonly (readonly [SlotKey, out: number, into: number, bias: boolean])[] = [
    ["query", queryWidth, hidden, biases.qkv],
    ["key", keyWidth, hidden, biases.qkv],
    ["value", keyWidth, hidden, biases.qkv],
    ["queryKeyValue", queryWidth + 2 * keyWidth, hidden, biases.qkv],
    ["output", hidden, queryWidth, biases.output],
    ["gate", inner, hidden, biases.mlp],
    ["up", inner, hidden, biases.mlp],
    ["gateUp", 2 * inner, hidden, biases.mlp],
    ["down", hidden, inner, biases.mlp],
  ];
  return new Map(
    sizes.flatMap(([key, outFeatures, inFeatures, bias]) => {
      const name = names.slots[key];
      return name === undefined ? [] : [[key, { name, outFeatures, inFeatures, bias }] as const];
    }),
  );
}

/** The norms of a block and the shapes of their weights. */
export function normPlans(
  config: DecoderConfig,
): [key: NormKey, plan: { readonly name: string; readonly shape: Shape }][] {
  const { headDim, headNorms } = config;
  const heads = { query: config.heads, key: config.kvHeads };
  const shapeOf = (key: NormKey): Shape => {
    if (key !== "query" && key !== "key") return [config.hiddenSize];
    if (headNorms === "own") return [heads[key], headDim];
    return [headNorms === "each" ? headDim : heads[key] * headDim];
  };
  return Object.entries(config.names.norms).map(([key, name]) => [
    key as NormKey,
    { name, shape: shapeOf(key as NormKey) },
  ]);
}

/** Lists the linear layers of all blocks. */
export function describeLinears(config: DecoderConfig): LinearDescription[] {
  const plans = [...linearPlans(config).values()];
  return config.layers.flatMap((_, block) =>
    plans.map(({ name, outFeatures, inFeatures }) => ({
      module: `${blockName(config, block)}.${name}`,
      block,
      slot: name,
      outFeatures,
      inFeatures,
    })),
  );
}

/** Lists embedding and output head; one table when they are tied. */
export function describeEmbeddingAndHead(config: DecoderConfig): VocabularyTable[] {
  const { embedding, head } = config.names;
  const size = { outFeatures: config.vocabularySize, inFeatures: config.embeddingSize };
  if (config.tiedEmbeddings) {
    return [{ module: embedding, roles: ["embedding", "head"], ...size }];
  }
  return [
    { module: embedding, roles: ["embedding"], ...size },
    { module: head, roles: ["head"], ...size },
  ];
}

/** Lists every tensor of an unquantized checkpoint of this configuration, with its shape. */
export function* expectedTensors(config: DecoderConfig): Generator<[name: string, shape: Shape]> {
  const { names, hiddenSize, embeddingSize, positions, biases, tiedEmbeddings } = config;
  const table = [config.vocabularySize, embeddingSize];
  yield [`${names.embedding}.weight`, table];
  if (names.positions && positions)
    yield [`${names.positions}.weight`, [positions.rows, hiddenSize]];
  if (names.projectIn) yield [`${names.projectIn}.weight`, [hiddenSize, embeddingSize]];
  for (const index of config.layers.keys()) yield* blockTensors(config, index);
  if (names.norm !== null) yield* normTensors(config, names.norm, [hiddenSize]);
  if (names.projectOut) yield [`${names.projectOut}.weight`, [embeddingSize, hiddenSize]];
  if (!tiedEmbeddings) yield [`${names.head}.weight`, table];
  if (biases.head) yield [`${names.head}.bias`, [config.vocabularySize]];
}

function* blockTensors(config: DecoderConfig, index: number): Generator<[string, Shape]> {
  const block = blockName(config, index);
  for (const [, { name, shape }] of normPlans(config)) {
    yield* normTensors(config, `${block}.${name}`, shape);
  }
  for (const { name, outFeatures, inFeatures, bias } of linearPlans(config).values()) {
    yield [`${block}.${name}.weight`, [outFeatures, inFeatures]];
    if (bias) yield [`${block}.${name}.bias`, [outFeatures]];
  }
}

function* normTensors(
  { norm }: DecoderConfig,
  name: string,
  shape: Shape,
): Generator<[string, Shape]> {
  yield [`${name}.weight`, shape];
  if (norm.bias) yield [`${name}.bias`, shape];
}

/** Names of the weights of the linear layers of all blocks. */
export function blockLinearNames(config: DecoderConfig): ReadonlySet<string> {
  return new Set(describeLinears(config).map(({ module }) => `${module}.weight`));
}

/**
 * Lists the tensors that are stored in another form than they are computed with, and in which.
 * @returns forms by name; of a packed matrix the form does not matter, it is never transposed
 */
export function storedForms(config: DecoderConfig): ReadonlyMap<string, TensorForm> {
  const forms = new Map<string, TensorForm>();
  const { norm, names, storedTransposed } = config;
  if (norm.offset !== 0) {
    const inBlocks = config.layers.flatMap((_, index) =>
      normPlans(config).map(([, { name }]) => `${blockName(config, index)}.${name}`),
    );
    for (const name of [...inBlocks, ...(names.norm === null ? [] : [names.norm])]) {
      forms.set(`${name}.weight`, { transposed: false, offset: norm.offset });
    }
  }
  if (storedTransposed) {
    for (const name of blockLinearNames(config)) forms.set(name, { transposed: true, offset: 0 });
  }
  return forms;
}

const missingHint = "check that config.json belongs to these weights and that no shard is missing";
const untiedHint =
  "config.json says or means `tie_word_embeddings: false`; if the embedding is the head, state true";

/**
 * Checks that the checkpoint holds every tensor of the configuration, in its shape; a packed module
 * stands for its `.weight`.
 * @throws FormatError naming the first tensor that is missing or has another shape
 */
export function checkWeights(config: DecoderConfig, source: WeightSource): void {
  for (const [name, shape] of expectedTensors(config)) {
    if (!source.has(name)) {
      throw new FormatError(
        `the checkpoint has no tensor ${name}: expected one of shape ${formatShape(shape)}`,
        { hint: name === `${config.names.head}.weight` ? untiedHint : missingHint },
      );
    }
    const found = source.shape(name);
    if (found.length !== shape.length || found.some((n, i) => n !== shape[i])) {
      throw new FormatError(
        `tensor ${name}: expected shape ${formatShape(shape)} by config.json, got ` +
          `${formatShape(found)}`,
        { hint: "check that config.json belongs to these weights" },
      );
    }
  }
}
