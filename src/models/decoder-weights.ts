import type { Backend } from "../backend/backend.ts";
import { Embedding } from "../nn/embedding.ts";
import { Linear, type LinearSlot } from "../nn/linear.ts";
import { makeLinear } from "../nn/make-linear.ts";
import type { Block, VocabularyTable, LinearDescription } from "../nn/quantizable-model.ts";
import type { WeightSource } from "../nn/weight-source.ts";
import { formatShape, type Shape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { FormatError } from "../util/errors.ts";
import type { DecoderConfig } from "./decoder-config.ts";

/** Slots of a block, by their names in Hugging Face checkpoints. */
export const slotNames = {
  query: "self_attn.q_proj",
  key: "self_attn.k_proj",
  value: "self_attn.v_proj",
  output: "self_attn.o_proj",
  gate: "mlp.gate_proj",
  up: "mlp.up_proj",
  down: "mlp.down_proj",
} as const;

/** Norms of a block, by their names in Hugging Face checkpoints. */
export const normNames = {
  attention: "input_layernorm",
  mlp: "post_attention_layernorm",
  query: "self_attn.q_norm",
  key: "self_attn.k_norm",
} as const;

/** Names of the embedding, the final norm and the output head. */
const outerNames = {
  embedding: "model.embed_tokens",
  norm: "model.norm",
  head: "lm_head",
} as const;

type SlotKey = keyof typeof slotNames;

interface LinearPlan {
  readonly outFeatures: number;
  readonly inFeatures: number;
  readonly bias: boolean;
}

/** Where the inputs of linears come to be in a decoder's block. */
export type DecoderStage = "attentionInput" | "attentionOutput" | "mlpInput" | "mlpOutput";

/** A block of a decoder with its weights in memory. */
export interface DecoderBlock extends Block {
  readonly index: number;
  readonly stages: Readonly<Record<DecoderStage, readonly LinearSlot[]>>;
  readonly norms: {
    readonly attention: Tensor<"f32">;
    readonly mlp: Tensor<"f32">;
    /** Norms of each head of queries and keys; null where the family has none. */
    readonly query: Tensor<"f32"> | null;
    readonly key: Tensor<"f32"> | null;
  };
}

/** Embedding, final norm and output head. */
export interface EmbeddingAndHead {
  readonly embedding: Embedding;
  readonly norm: Tensor<"f32">;
  readonly head: Linear;
}

/** Returns the name of block `index` in the checkpoint. */
function blockName(index: number): string {
  return `model.layers.${index}`;
}

function linearPlans(config: DecoderConfig): Record<SlotKey, LinearPlan> {
  const { hiddenSize, intermediateSize, biases } = config;
  const queryWidth = config.heads * config.headDim;
  const keyWidth = config.kvHeads * config.headDim;
  const plan = (outFeatures: number, inFeatures: number, bias: boolean): LinearPlan => ({
    outFeatures,
    inFeatures,
    bias,
  });
  return {
    query: plan(queryWidth, hiddenSize, biases.qkv),
    key: plan(keyWidth, hiddenSize, biases.qkv),
    value: plan(keyWidth, hiddenSize, biases.qkv),
    output: plan(hiddenSize, queryWidth, biases.output),
    gate: plan(intermediateSize, hiddenSize, biases.mlp),
    up: plan(intermediateSize, hiddenSize, biases.mlp),
    down: plan(hiddenSize, intermediateSize, biases.mlp),
  };
}

function normWidths(config: DecoderConfig): [name: string, width: number][] {
  const { hiddenSize, headDim } = config;
  const widths: [string, number][] = [
    [normNames.attention, hiddenSize],
    [normNames.mlp, hiddenSize],
  ];
  if (config.headNorms) widths.push([normNames.query, headDim], [normNames.key, headDim]);
  return widths;
}

/** Lists the linear layers of all blocks. */
export function describeLinears(config: DecoderConfig): LinearDescription[] {
  const plans = Object.entries(linearPlans(config)) as [SlotKey, LinearPlan][];
  return config.layers.flatMap((_, block) =>
    plans.map(([key, { outFeatures, inFeatures }]) => ({
      module: `${blockName(block)}.${slotNames[key]}`,
      block,
      slot: slotNames[key],
      outFeatures,
      inFeatures,
    })),
  );
}

/** Lists embedding and output head; one table when they are tied. */
export function describeEmbeddingAndHead(config: DecoderConfig): VocabularyTable[] {
  const size = { outFeatures: config.vocabularySize, inFeatures: config.hiddenSize };
  if (config.tiedEmbeddings) {
    return [{ module: outerNames.embedding, roles: ["embedding", "head"], ...size }];
  }
  return [
    { module: outerNames.embedding, roles: ["embedding"], ...size },
    { module: outerNames.head, roles: ["head"], ...size },
  ];
}

/** Lists every tensor of an unquantized checkpoint of this configuration, with its shape. */
export function* expectedTensors(config: DecoderConfig): Generator<[name: string, shape: Shape]> {
  const table = [config.vocabularySize, config.hiddenSize];
  yield [`${outerNames.embedding}.weight`, table];
  for (let index = 0; index < config.layers.length; index++) {
    for (const [name, width] of normWidths(config)) {
      yield [`${blockName(index)}.${name}.weight`, [width]];
    }
    for (const [key, plan] of Object.entries(linearPlans(config))) {
      const module = `${blockName(index)}.${slotNames[key as SlotKey]}`;
      yield [`${module}.weight`, [plan.outFeatures, plan.inFeatures]];
      if (plan.bias) yield [`${module}.bias`, [plan.outFeatures]];
    }
  }
  yield [`${outerNames.norm}.weight`, [config.hiddenSize]];
  if (!config.tiedEmbeddings) yield [`${outerNames.head}.weight`, table];
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
        { hint: name.startsWith(`${outerNames.head}.`) ? untiedHint : missingHint },
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

/** Reads block `index`. @throws FormatError NumericError */
export async function readBlock(
  backend: Backend,
  config: DecoderConfig,
  source: WeightSource,
  index: number,
): Promise<DecoderBlock> {
  const name = blockName(index);
  const plans = linearPlans(config);
  const slot = async (key: SlotKey): Promise<LinearSlot> => {
    const module = `${name}.${slotNames[key]}`;
    const weight = await source.matrix(module);
    const bias = plans[key].bias ? await source.tensor(`${module}.bias`) : null;
    return { name: slotNames[key], layer: await makeLinear(backend, weight, bias) };
  };
  const norm = (key: keyof typeof normNames): Promise<Tensor<"f32">> =>
    source.tensor(`${name}.${normNames[key]}.weight`);
  const stages = {
    attentionInput: [await slot("query"), await slot("key"), await slot("value")],
    attentionOutput: [await slot("output")],
    mlpInput: [await slot("gate"), await slot("up")],
    mlpOutput: [await slot("down")],
  };
  const norms = {
    attention: await norm("attention"),
    mlp: await norm("mlp"),
    query: config.headNorms ? await norm("query") : null,
    key: config.headNorms ? await norm("key") : null,
  };
  return {
    name,
    index,
    stages,
    slots: Object.values(stages).flat(),
    scoreSlots: [slotNames.query, slotNames.key],
    normWeights: new Map([
      [normNames.attention, norms.attention],
      [normNames.mlp, norms.mlp],
    ]),
    norms,
  };
}

/** Gives the memory of a block back. */
export function releaseBlockWeights(block: DecoderBlock): void {
  for (const norm of Object.values(block.norms)) norm?.release();
  for (const slot of block.slots) slot.layer.release?.();
}

/** Reads embedding, final norm and output head. @throws FormatError NumericError */
export async function readEmbeddingAndHead(
  backend: Backend,
  config: DecoderConfig,
  source: WeightSource,
): Promise<EmbeddingAndHead> {
  const table = await source.storedMatrix(outerNames.embedding);
  const embedding = new Embedding(backend, table);
  const norm = await source.tensor(`${outerNames.norm}.weight`);
  const headWeight = config.tiedEmbeddings ? table : await source.storedMatrix(outerNames.head);
  return { embedding, norm, head: new Linear(backend, headWeight) };
}

/** Gives embedding, final norm and output head back. */
export function releaseEmbeddingAndHeadWeights({ embedding, norm, head }: EmbeddingAndHead): void {
  norm.release();
  head.release();
  if (head.weight !== embedding.weight) embedding.release();
}

const linearWeight = new RegExp(
  "^model\\.layers\\.\\d+\\." +
    `(${Object.values(slotNames).join("|").replaceAll(".", "\\.")})\\.weight$`,
);

/** Tells whether a tensor is the weight of a linear layer of a block. */
export function isBlockLinear(name: string): boolean {
  return linearWeight.test(name);
}
