import type { VocabularyTable, LinearDescription } from "../nn/quantizable-model.ts";
import type { TensorForm, WeightSource } from "../nn/weight-source.ts";
import { formatShape, type Shape } from "../tensor/shape.ts";
import { FormatError } from "../util/errors.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { NormKey, SlotKey } from "./decoder-names.ts";
import type { MlpNames } from "./expert-config.ts";

/** Size of a linear layer of a block. */
export interface LinearPlan {
  readonly name: string;
  readonly outFeatures: number;
  readonly inFeatures: number;
  readonly bias: boolean;
}

/** The layers of an MLP with a gate. */
export interface MlpPlan {
  readonly gate: LinearPlan;
  readonly up: LinearPlan;
  readonly down: LinearPlan;
}

/** A layer of a mixture that says where tokens go; it reads the hidden state. */
export interface GatePlan {
  readonly name: string;
  readonly outFeatures: number;
}

/** Returns the name of block `index` in the checkpoint. */
export function blockName({ names }: DecoderConfig, index: number): string {
  return `${names.blocks}.${index}`;
}

/** Whether experts stand in the place of a block's MLP. */
export function isSparse({ layers }: DecoderConfig, index: number): boolean {
  return layers[index]?.sparse ?? false;
}

/** Layers of a block's MLP; the experts of a mixture have their own. */
const mlpKeys: ReadonlySet<SlotKey> = new Set(["gate", "up", "gateUp", "down"]);

/** The linear layers of block `index` but for those of experts, in the order of computation. */
export function linearPlans(
  config: DecoderConfig,
  index: number,
): ReadonlyMap<SlotKey, LinearPlan> {
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
      const name = isSparse(config, index) && mlpKeys.has(key) ? undefined : names.slots[key];
      return name === undefined ? [] : [[key, { name, outFeatures, inFeatures, bias }] as const];
    }),
  );
}

/** A norm of a block. */
export interface NormPlan {
  /** Names of its tensors without `.weight`, of which each has the weights of one head or of all. */
  readonly names: readonly string[];
  /** Shape of each of them. */
  readonly shape: Shape;
  readonly bias: boolean;
}

/** The norms of a block. */
export function normPlans(config: DecoderConfig): [key: NormKey, plan: NormPlan][] {
  const { headDim, headNorms, hiddenSize, names, norm } = config;
  const heads = { query: config.heads, key: config.kvHeads };
  const planOf = (key: NormKey, name: string): NormPlan => {
    const plan = { names: [name], bias: norm.bias };
    if (key !== "query" && key !== "key") return { ...plan, shape: [hiddenSize] };
    const count = heads[key];
    switch (headNorms) {
      case "each":
        return { ...plan, shape: [headDim] };
      case "all":
        return { ...plan, shape: [count * headDim] };
      case "own":
        return { ...plan, shape: [count, headDim] };
      case "apart":
        return { names: headNames(name, count), shape: [headDim], bias: false };
    }
  };
  return Object.entries(names.norms).map(([key, name]) => [
    key as NormKey,
    planOf(key as NormKey, name),
  ]);
}

function headNames(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, head) => `${name}.${head}`);
}

/** Lists the linear layers of a block, those of its experts too. */
function allPlans(config: DecoderConfig, index: number): LinearPlan[] {
  const mlps = isSparse(config, index) ? expertPlans(config) : null;
  return [
    ...linearPlans(config, index).values(),
    ...(mlps ? [...mlps.experts, ...(mlps.shared ? [mlps.shared] : [])] : []).flatMap(
      ({ gate, up, down }) => [gate, up, down],
    ),
  ];
}

/** Lists the linear layers of all blocks. */
export function describeLinears(config: DecoderConfig): LinearDescription[] {
  return config.layers.flatMap((_, block) =>
    allPlans(config, block).map(({ name, outFeatures, inFeatures }) => ({
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
  if (names.norm !== null) yield* normTensors(names.norm, [hiddenSize], config.norm.bias);
  if (names.projectOut) yield [`${names.projectOut}.weight`, [embeddingSize, hiddenSize]];
  if (!tiedEmbeddings) yield [`${names.head}.weight`, table];
  if (biases.head) yield [`${names.head}.bias`, [config.vocabularySize]];
}

function* blockTensors(config: DecoderConfig, index: number): Generator<[string, Shape]> {
  const block = blockName(config, index);
  for (const [, { names, shape, bias }] of normPlans(config)) {
    for (const name of names) yield* normTensors(`${block}.${name}`, shape, bias);
  }
  if (isSparse(config, index)) {
    for (const { name, outFeatures } of gatePlans(config)) {
      yield [`${block}.${name}.weight`, [outFeatures, config.hiddenSize]];
    }
  }
  for (const { name, outFeatures, inFeatures, bias } of allPlans(config, index)) {
    yield [`${block}.${name}.weight`, [outFeatures, inFeatures]];
    if (bias) yield [`${block}.${name}.bias`, [outFeatures]];
  }
}

/** The layers of a mixture that say where tokens go; they are never quantized. */
export function* gatePlans({ experts, names }: DecoderConfig): Generator<GatePlan> {
  if (!experts || !names.experts) return;
  yield { name: names.experts.router, outFeatures: experts.count };
  if (names.experts.sharedGate !== undefined) {
    yield { name: names.experts.sharedGate, outFeatures: 1 };
  }
}

/** Lists the full names of those of all blocks. */
export function gateModules(config: DecoderConfig): string[] {
  return config.layers.flatMap((_, index) =>
    isSparse(config, index)
      ? [...gatePlans(config)].map(({ name }) => `${blockName(config, index)}.${name}`)
      : [],
  );
}

/** The MLPs of a mixture: its experts, and the one for every token where there is one. */
export function expertPlans({ experts, names, hiddenSize }: DecoderConfig): {
  readonly experts: readonly MlpPlan[];
  readonly shared: MlpPlan | null;
} | null {
  const own = names.experts;
  if (!experts || !own) return null;
  const mlp = ({ gate, up, down }: MlpNames, width: number): MlpPlan => ({
    gate: { name: gate, outFeatures: width, inFeatures: hiddenSize, bias: false },
    up: { name: up, outFeatures: width, inFeatures: hiddenSize, bias: false },
    down: { name: down, outFeatures: hiddenSize, inFeatures: width, bias: false },
  });
  const below = (index: number): MlpNames => ({
    gate: `${own.experts}.${index}.${own.layers.gate}`,
    up: `${own.experts}.${index}.${own.layers.up}`,
    down: `${own.experts}.${index}.${own.layers.down}`,
  });
  return {
    experts: Array.from({ length: experts.count }, (_, index) =>
      mlp(below(index), experts.intermediateSize),
    ),
    shared: own.shared && experts.sharedSize ? mlp(own.shared, experts.sharedSize) : null,
  };
}

function* normTensors(name: string, shape: Shape, bias: boolean): Generator<[string, Shape]> {
  yield [`${name}.weight`, shape];
  if (bias) yield [`${name}.bias`, shape];
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
      normPlans(config).flatMap(([, plan]) =>
        plan.names.map((name) => `${blockName(config, index)}.${name}`),
      ),
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
    expectShapeOf(name, source.shape(name), shape);
  }
}

/** @throws FormatError when a tensor has another shape than the configuration asks for */
export function expectShapeOf(name: string, found: Shape, expected: Shape): void {
  if (found.length === expected.length && found.every((n, i) => n === expected[i])) return;
  throw new FormatError(
    `tensor ${name}: expected shape ${formatShape(expected)} by config.json, got ` +
      `${formatShape(found)}`,
    { hint: "check that config.json belongs to these weights" },
  );
}
