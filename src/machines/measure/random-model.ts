import type { Backend } from "../../backend/backend.ts";
import type { DecoderConfig } from "../../models/decoder-config.ts";
import { DecoderModel } from "../../models/decoder.ts";
import type { DecoderBlock } from "../../models/decoder-weights.ts";
import { expectedTensors } from "../../models/decoder-tensors.ts";
import { readModelConfig } from "../../models/index.ts";
import type { LinearLike } from "../../nn/linear.ts";
import type { WeightSource } from "../../nn/weight-source.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import { LanguageModel } from "../../runtime/language-model.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { ChatTemplates } from "../../tokenizers/chat-template-source.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import { UsageError } from "../../util/errors.ts";
import type { RandomWeights } from "./random-weights.ts";

/** Sizes of a model for timing, a Llama with heads of 64 and keys of their own. */
export interface RandomModelShape {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly blocks: number;
  readonly vocabularySize: number;
}

/** What the linear layers and the head of such a model are stored as. */
export const randomModelStorage = "w8g64";

/** The configuration of a model for timing. */
export function randomConfig(shape: RandomModelShape): DecoderConfig {
  return readModelConfig({
    model_type: "llama",
    hidden_size: shape.hiddenSize,
    intermediate_size: shape.intermediateSize,
    num_hidden_layers: shape.blocks,
    num_attention_heads: shape.hiddenSize / 64,
    vocab_size: shape.vocabularySize,
    max_position_embeddings: 4096,
    rms_norm_eps: 1e-5,
    tie_word_embeddings: false,
  });
}

/** A model for timing, and the linear layers of its blocks. */
export interface RandomModel {
  readonly model: LanguageModel;
  readonly linears: readonly LinearLike[];
}

/** Makes a model of random weights in memory, as `load` makes one of a checkpoint. */
export async function makeRandomModel(
  backend: Backend,
  weights: RandomWeights,
  shape: RandomModelShape,
): Promise<RandomModel> {
  const config = randomConfig(shape);
  const model = await DecoderModel.open(backend, config, randomSource(backend, weights, config));
  const blocks: DecoderBlock[] = [];
  for (let index = 0; index < model.blockCount; index++) blocks.push(await model.loadBlock(index));
  const sizes = {
    parameters: 0,
    others: { parameters: 0, bytes: 0 },
    linear: { layers: 0, weights: 0, bytes: 0, bitsPerWeight: 0 },
    file: { bytes: 0, bitsPerWeight: 0 },
  };
  const names = { directory: "", source: "", name: "random", architecture: "Llama" };
  const parts = { ...names, schemeId: null, sizes, model, blocks, tokenizer: noTokens };
  const linears = blocks.flatMap(({ slots }) => slots.map(({ layer }) => layer));
  return { model: new LanguageModel(parts), linears };
}

function randomSource(
  backend: Backend,
  weights: RandomWeights,
  config: DecoderConfig,
): WeightSource {
  const shapes = new Map(expectedTensors(config));
  const shapeOf = (name: string): readonly number[] => shapes.get(name) ?? [];
  const matrix = (module: string): Promise<Tensor | QTensor> => {
    const [outFeatures = 0, inFeatures = 0] = shapeOf(`${module}.weight`);
    const isTable = module === config.names.embedding;
    const storage = isTable ? "bf16" : randomModelStorage;
    return Promise.resolve(weights.make(backend, storage, outFeatures, inFeatures));
  };
  return {
    has: (name) => shapes.has(name),
    shape: shapeOf,
    tensor: async (name) => {
      const shape = shapeOf(name);
      return Tensor.from(backend, "f32", shape, new Float32Array(shape[0] ?? 0).fill(1));
    },
    matrix,
    storedMatrix: matrix,
  };
}

/** Of a model that is given ids and no text. */
const noTokens: Tokenizer = {
  vocabularySize: 0,
  bosId: null,
  eosIds: [],
  startIds: [],
  specialIds: new Set(),
  spelling: "plain",
  chatTemplates: new ChatTemplates({ settings: {} }),
  specialTokens: new Map(),
  bosToken: null,
  eosToken: null,
  encode: refuse,
  encodeLazily: refuse,
  decode: refuse,
  tokenToId: () => null,
  idToToken: () => null,
};

function refuse(): never {
  throw new UsageError("a model of random weights has no tokens");
}
