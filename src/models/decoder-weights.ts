import type { Backend } from "../backend/backend.ts";
import { Embedding } from "../nn/embedding.ts";
import { Linear, type LinearSlot } from "../nn/linear.ts";
import { makeLinear } from "../nn/make-linear.ts";
import type { NormWeights } from "../nn/norm.ts";
import type { Block } from "../nn/quantizable-model.ts";
import type { WeightSource } from "../nn/weight-source.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { NormKey, SlotKey } from "./decoder-names.ts";
import {
  type BlockExperts,
  type GatedMlp,
  gatesOf,
  readExpert,
  readExperts,
} from "./decoder-experts.ts";
import { blockName, isSparse, linearPlans, normPlans } from "./decoder-tensors.ts";

/** Where the inputs of linears come to be in a decoder's block. */
export type DecoderStage = "attentionInput" | "attentionOutput" | "mlpInput" | "mlpOutput";

/** A block of a decoder with its weights in memory. */
export interface DecoderBlock extends Block {
  readonly index: number;
  readonly stages: Readonly<Record<DecoderStage, readonly LinearSlot[]>>;
  /** Those that the family has; where each head has a tensor of its own, without them. */
  readonly norms: Readonly<Partial<Record<NormKey, NormWeights>>>;
  /** Weights `[headDim]` of norms of queries and keys, head by head, where each has its own. */
  readonly headWeights: Readonly<Partial<Record<NormKey, readonly Tensor<"f32">[]>>>;
  /** What stands in the place of the MLP in a mixture; null where the MLP itself does. */
  readonly mixture: BlockExperts | null;
}

/** What stands before and behind the blocks; null where the family has none. */
export interface EmbeddingAndHead {
  readonly embedding: Embedding;
  /** Learned positions `[rows, hiddenSize]`. */
  readonly positions: Tensor<"f32"> | null;
  readonly projectIn: Linear | null;
  readonly norm: NormWeights | null;
  readonly projectOut: Linear | null;
  readonly head: Linear;
}

const stageSlots: Readonly<Record<DecoderStage, readonly SlotKey[]>> = {
  attentionInput: ["query", "key", "value", "queryKeyValue"],
  attentionOutput: ["output"],
  mlpInput: ["gate", "up", "gateUp"],
  mlpOutput: ["down"],
};

/** Reads block `index`. @throws FormatError NumericError */
export async function readBlock(
  backend: Backend,
  config: DecoderConfig,
  source: WeightSource,
  { index, experts }: { readonly index: number; readonly experts: "all" | "none" },
): Promise<DecoderBlock> {
  const name = blockName(config, index);
  const slots = await readSlots(backend, config, source, index);
  const { norms, headWeights } = await readNorms(config, source, name);
  const mixture = isSparse(config, index)
    ? await readExperts(backend, config, source, { name, wants: experts })
    : null;
  const stages = stagesOf(slots, mixture);
  return {
    name,
    index,
    stages,
    slots: Object.values(stages).flat(),
    scoreSlots: (["query", "key", "queryKeyValue"] as const).flatMap(
      (key) => slots.get(key)?.name ?? [],
    ),
    normWeights: new Map(
      (["attention", "mlp"] as const).flatMap((key) => {
        const [weights, own] = [norms[key], config.names.norms[key]];
        return weights && own !== undefined ? [[own, weights]] : [];
      }),
    ),
    kvCache: config.kvCache,
    norms,
    headWeights,
    mixture,
    ...(mixture && {
      gates: gatesOf(mixture),
      experts: loaded(mixture).map(({ gate, up, down }) => [gate, up, down]),
    }),
  };
}

/** Reads the linear layers of block `index` but for those of experts. */
async function readSlots(
  backend: Backend,
  config: DecoderConfig,
  source: WeightSource,
  index: number,
): Promise<Map<SlotKey, LinearSlot>> {
  const slots = new Map<SlotKey, LinearSlot>();
  for (const [key, plan] of linearPlans(config, index)) {
    const module = `${blockName(config, index)}.${plan.name}`;
    const weight = await source.matrix(module);
    const bias = plan.bias ? await source.tensor(`${module}.bias`) : null;
    slots.set(key, { name: plan.name, layer: await makeLinear(backend, weight, bias) });
  }
  return slots;
}

/** Slots by stage, those of a mixture behind the others. */
function stagesOf(
  slots: ReadonlyMap<SlotKey, LinearSlot>,
  mixture: BlockExperts | null,
): DecoderBlock["stages"] {
  const stage = (of: DecoderStage): LinearSlot[] =>
    stageSlots[of].flatMap((key) => slots.get(key) ?? []);
  const mlps: GatedMlp[] = mixture
    ? [...loaded(mixture), ...(mixture.shared ? [mixture.shared] : [])]
    : [];
  return {
    attentionInput: stage("attentionInput"),
    attentionOutput: stage("attentionOutput"),
    mlpInput: [...stage("mlpInput"), ...mlps.flatMap(({ gate, up }) => [gate, up])],
    mlpOutput: [...stage("mlpOutput"), ...mlps.map(({ down }) => down)],
  };
}

/** Experts that are in memory. */
function loaded({ experts }: BlockExperts): GatedMlp[] {
  return experts.filter((expert) => expert !== undefined);
}

/**
 * Reads one expert of a block, as what is left of the block without all else that has weights: a
 * pass through it gives what this expert adds to the stream.
 */
export async function readExpertBlock(
  backend: Backend,
  config: DecoderConfig,
  source: WeightSource,
  { block, expert }: { readonly block: DecoderBlock; readonly expert: number },
): Promise<DecoderBlock | null> {
  const { name, mixture } = block;
  const mlp = await readExpert(backend, config, source, { name, expert });
  if (!mlp || !mixture) return null;
  const { gate, up, down } = mlp;
  const experts: (GatedMlp | undefined)[] = [];
  experts[expert] = mlp;
  return {
    ...block,
    part: "mlp",
    slots: [gate, up, down],
    stages: { attentionInput: [], attentionOutput: [], mlpInput: [gate, up], mlpOutput: [down] },
    scoreSlots: [],
    normWeights: new Map(),
    experts: [[gate, up, down]],
    mixture: { ...mixture, experts, shared: null },
  };
}

async function readNorms(
  config: DecoderConfig,
  source: WeightSource,
  block: string,
): Promise<Pick<DecoderBlock, "norms" | "headWeights">> {
  const norms: Partial<Record<NormKey, NormWeights>> = {};
  const headWeights: Partial<Record<NormKey, Tensor<"f32">[]>> = {};
  for (const [key, { names, bias }] of normPlans(config)) {
    const isApart = config.headNorms === "apart" && (key === "query" || key === "key");
    if (!isApart) norms[key] = await readNorm(source, `${block}.${names[0]}`, bias);
    else
      headWeights[key] = await readEach(
        source,
        names.map((name) => `${block}.${name}.weight`),
      );
  }
  return { norms, headWeights };
}

async function readEach(source: WeightSource, names: readonly string[]): Promise<Tensor<"f32">[]> {
  const tensors: Tensor<"f32">[] = [];
  for (const name of names) tensors.push(await source.tensor(name));
  return tensors;
}

async function readNorm(source: WeightSource, name: string, bias: boolean): Promise<NormWeights> {
  return {
    weight: await source.tensor(`${name}.weight`),
    bias: bias ? await source.tensor(`${name}.bias`) : null,
  };
}

/** Gives the memory of a block back. */
export function releaseBlockWeights(block: DecoderBlock): void {
  for (const slot of block.slots) slot.layer.release?.();
  if (block.part) return;
  for (const norm of Object.values(block.norms)) releaseNorm(norm);
  for (const weight of Object.values(block.headWeights).flat()) weight.release();
  for (const gate of block.gates ?? []) gate.layer.release?.();
}

/** Reads embedding, final norm and output head. @throws FormatError NumericError */
export async function readEmbeddingAndHead(
  backend: Backend,
  config: DecoderConfig,
  source: WeightSource,
): Promise<EmbeddingAndHead> {
  const { names, tiedEmbeddings, biases } = config;
  const linear = async (name: string | null): Promise<Linear | null> =>
    name === null ? null : new Linear(backend, await source.storedMatrix(name));
  const table = await source.storedMatrix(names.embedding);
  const embedding = new Embedding(backend, table);
  const positions =
    names.positions === null ? null : await source.tensor(`${names.positions}.weight`);
  const projectIn = await linear(names.projectIn);
  const norm = names.norm === null ? null : await readNorm(source, names.norm, config.norm.bias);
  const projectOut = await linear(names.projectOut);
  const headWeight = tiedEmbeddings ? table : await source.storedMatrix(names.head);
  const headBias = biases.head ? await source.tensor(`${names.head}.bias`) : null;
  const head = new Linear(backend, headWeight, headBias);
  return { embedding, positions, projectIn, norm, projectOut, head };
}

/** Gives embedding, final norm and output head back. */
export function releaseEmbeddingAndHeadWeights(weights: EmbeddingAndHead): void {
  const { embedding, positions, projectIn, norm, projectOut, head } = weights;
  if (norm) releaseNorm(norm);
  for (const owner of [positions, projectIn, projectOut, head]) owner?.release();
  if (head.weight !== embedding.weight) embedding.release();
}

function releaseNorm({ weight, bias }: NormWeights): void {
  weight.release();
  bias?.release();
}
