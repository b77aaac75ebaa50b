import type { DecoderConfig } from "../models/decoder-config.ts";
import type { SlotKey } from "../models/decoder-names.ts";
import {
  blockName,
  expectedTensors,
  expertPlans,
  gatePlans,
  isSparse,
  type LinearPlan,
  linearPlans,
} from "../models/decoder-tensors.ts";
import { elementCount } from "../tensor/shape.ts";

/** What a matrix is there for. */
export type PartKind = "attention" | "mlp" | "experts" | "router" | "embedding" | "head";

/** Matrices of one size and purpose. */
export interface ModelPart {
  readonly kind: PartKind;
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** How many the model has. */
  readonly count: number;
  /** How many of them a token is multiplied by; none of an embedding, of which it takes a row. */
  readonly used: number;
  /** Scheme or dtype of its own; null: what is chosen for its kind. */
  readonly storage: string | null;
}

/** Blocks whose tokens see equally far. */
export interface AttentionSpan {
  /** Tokens that a token sees, itself included; null means all before it. */
  readonly window: number | null;
  readonly blocks: number;
}

/** What sizes, memory, bytes and operations of a model follow from. Plain data: a page carries it. */
export interface ModelShape {
  readonly modelType: string;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly vocabularySize: number;
  readonly contextLength: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Passes through blocks a token makes: their number, times how often each runs. */
  readonly passes: number;
  readonly spans: readonly AttentionSpan[];
  /** Whether the embedding is the output head, too. */
  readonly tied: boolean;
  readonly parts: readonly ModelPart[];
  /** Parameters that are no matrices of `parts`: norms, biases, learned positions. */
  readonly others: number;
  /** All parameters, tied ones once. */
  readonly parameters: number;
}

const attentionSlots: ReadonlySet<SlotKey> = new Set([
  "query",
  "key",
  "value",
  "queryKeyValue",
  "output",
]);

/**
 * Says what a model is made of, from its configuration alone.
 * @param storageOf scheme or dtype of the matrix of a module where it has one of its own
 */
export function shapeOf(
  config: DecoderConfig,
  storageOf: (module: string) => string | null = () => null,
): ModelShape {
  const parts = new Parts();
  addTables(parts, config, storageOf);
  for (const index of config.layers.keys()) addBlock(parts, config, index, storageOf);
  let parameters = 0;
  for (const [, shape] of expectedTensors(config)) parameters += elementCount(shape);
  const inParts = parts.list().reduce((sum, part) => sum + weightsOf(part), 0);
  return {
    modelType: config.modelType,
    hiddenSize: config.hiddenSize,
    intermediateSize: config.intermediateSize,
    vocabularySize: config.vocabularySize,
    contextLength: config.contextLength,
    heads: config.heads,
    kvHeads: config.kvHeads,
    headDim: config.headDim,
    passes: config.layers.length * config.blockRuns,
    spans: spansOf(config),
    tied: config.tiedEmbeddings,
    parts: parts.list(),
    others: parameters - inParts,
    parameters,
  };
}

/** Weights of all matrices of a part. */
export function weightsOf({ outFeatures, inFeatures, count }: ModelPart): number {
  return outFeatures * inFeatures * count;
}

/** Gathers matrices that are alike. */
class Parts {
  private readonly found = new Map<string, ModelPart>();

  add(part: ModelPart): void {
    const { kind, outFeatures, inFeatures, storage } = part;
    const key = [kind, outFeatures, inFeatures, storage].join(" ");
    const { count = 0, used = 0 } = this.found.get(key) ?? {};
    this.found.set(key, { ...part, count: count + part.count, used: used + part.used });
  }

  list(): ModelPart[] {
    return [...this.found.values()];
  }
}

type StorageOf = (module: string) => string | null;

/** A tied table is read once a token, as the head; its row as an embedding counts beside. */
function addTables(parts: Parts, config: DecoderConfig, storageOf: StorageOf): void {
  const { names, tiedEmbeddings: tied } = config;
  const size = { outFeatures: config.vocabularySize, inFeatures: config.embeddingSize, count: 1 };
  const own = storageOf(names.embedding);
  parts.add({ kind: "embedding", ...size, used: tied ? 1 : 0, storage: own });
  if (!tied) parts.add({ kind: "head", ...size, used: 1, storage: storageOf(names.head) });
}

function addBlock(parts: Parts, config: DecoderConfig, index: number, storageOf: StorageOf): void {
  const runs = config.blockRuns;
  const block = blockName(config, index);
  const add = (kind: PartKind, plan: LinearPlan, used: number): void => {
    const { outFeatures, inFeatures } = plan;
    const storage = storageOf(`${block}.${plan.name}`);
    parts.add({ kind, outFeatures, inFeatures, count: 1, used: used * runs, storage });
  };
  for (const [key, plan] of linearPlans(config, index)) {
    add(attentionSlots.has(key) ? "attention" : "mlp", plan, 1);
  }
  const { experts } = config;
  const mlps = isSparse(config, index) ? expertPlans(config) : null;
  if (!mlps || !experts) return;
  for (const { outFeatures } of gatePlans(config)) {
    const size = { outFeatures, inFeatures: config.hiddenSize, count: 1, used: runs };
    parts.add({ kind: "router", ...size, storage: null });
  }
  const layersOf = ({ gate, up, down }: { gate: LinearPlan; up: LinearPlan; down: LinearPlan }) => [
    gate,
    up,
    down,
  ];
  const share = experts.used / experts.count;
  for (const mlp of mlps.experts) for (const plan of layersOf(mlp)) add("experts", plan, share);
  if (mlps.shared) for (const plan of layersOf(mlps.shared)) add("mlp", plan, 1);
}

function spansOf({ layers, blockRuns }: DecoderConfig): AttentionSpan[] {
  const counts = new Map<number | null, number>();
  for (const { window } of layers) counts.set(window, (counts.get(window) ?? 0) + blockRuns);
  return [...counts].map(([window, blocks]) => ({ window, blocks }));
}
