import { recompute } from "../tensor/tape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { QTensor } from "../quant/q-tensor.ts";
import { throwIfCancelled } from "../util/errors.ts";
import type { LinearSlot } from "./linear.ts";
import type { Block, LinearDescription, QuantizableModel } from "./quantizable-model.ts";
import type { WeightSource } from "./weight-source.ts";

/** A linear layer of a model that is in memory. */
export interface TrainableLinear extends LinearDescription {
  /** Where its layer sits; a method may put another layer in. */
  readonly at: LinearSlot;
}

/** How a whole model is run. */
export interface ModelPass {
  /** Keep only the inputs of blocks for the gradients, and compute the rest again. */
  readonly recompute?: boolean;
  /** Sees the residual stream `[batch, length, hiddenSize]` before each block and at the end. */
  readonly observe?: (hidden: Tensor<"f32">, blocks: number) => void;
  /** What becomes of the residual stream in front of the first block, and behind the last. */
  readonly stream?: {
    readonly enter: (hidden: Tensor<"f32">) => Tensor<"f32">;
    readonly leave: (hidden: Tensor<"f32">) => Tensor<"f32">;
  };
}

/**
 * A whole model in memory, to be trained end to end: its blocks, embedding, final norm and output
 * head, with every float tensor in float32 unless its source holds it otherwise. Methods see this;
 * which model it is they do not know.
 */
export class TrainableModel {
  readonly model: QuantizableModel;
  readonly blocks: readonly Block[];
  /** Linear layers of all blocks, in their order. */
  readonly linears: readonly TrainableLinear[];
  /** Float tensors by their names in the checkpoint; a tied table is there once. */
  readonly tensors: ReadonlyMap<string, Tensor<"f32">>;

  private constructor(
    model: QuantizableModel,
    blocks: readonly Block[],
    tensors: ReadonlyMap<string, Tensor<"f32">>,
  ) {
    this.model = model;
    this.blocks = blocks;
    this.tensors = tensors;
    this.linears = model.linears().map((linear) => ({ ...linear, at: slotOf(blocks, linear) }));
  }

  /**
   * Reads all weights of a model from `source`.
   * @throws FormatError NumericError as the source does; CancelledError when `signal` is aborted
   */
  static async load(
    model: QuantizableModel,
    source: WeightSource,
    signal?: AbortSignal,
  ): Promise<TrainableModel> {
    const recorded = new RecordedWeights(source);
    model.releaseEmbeddingAndHead();
    await model.loadEmbeddingAndHead(recorded);
    const blocks: Block[] = [];
    for (let index = 0; index < model.blockCount; index++) {
      throwIfCancelled(signal);
      blocks.push(await model.loadBlock(index, recorded));
    }
    return new TrainableModel(model, blocks, recorded.tensors);
  }

  get vocabularySize(): number {
    return this.model.embeddingAndHead()[0].outFeatures;
  }

  /** Maps ids `[batch, length]` to logits `[batch · length, vocabulary]`; differentiable. */
  forward(ids: Tensor<"i32">, pass: ModelPass = {}): Tensor<"f32"> {
    return this.model.logits(this.hiddenStates(ids, pass));
  }

  /**
   * Maps ids `[batch, length]` to what the last block gives, `[batch · length, hiddenSize]`, which
   * `model.logits` makes logits of, row by row; differentiable.
   */
  hiddenStates(ids: Tensor<"i32">, pass: ModelPass = {}): Tensor<"f32"> {
    const { model, blocks } = this;
    let hidden = model.embed(ids);
    if (pass.stream) hidden = pass.stream.enter(hidden);
    pass.observe?.(hidden, 0);
    for (const [index, block] of blocks.entries()) {
      const input = hidden;
      // A pass without `untilStage` is never stopped on the way.
      const body = () => model.forwardBlock(block, input, { position: 0 }) as Tensor<"f32">;
      hidden = pass.recompute ? recompute([input], body) : body();
      pass.observe?.(hidden, index + 1);
    }
    const flat = hidden.reshape([ids.size, model.hiddenSize]);
    return pass.stream ? pass.stream.leave(flat) : flat;
  }

  /** Gives all weights back. */
  release(): void {
    for (const block of this.blocks) this.model.releaseBlock(block);
    this.model.releaseEmbeddingAndHead();
  }
}

function slotOf(blocks: readonly Block[], { block, slot }: LinearDescription): LinearSlot {
  return blocks[block].slots.find(({ name }) => name === slot) as LinearSlot;
}

/** Remembers, by name, the float tensors that a model reads; matrices in the source's dtype. */
class RecordedWeights implements WeightSource {
  readonly tensors = new Map<string, Tensor<"f32">>();
  private readonly source: WeightSource;

  constructor(source: WeightSource) {
    this.source = source;
  }

  has(name: string): boolean {
    return this.source.has(name);
  }

  shape(name: string): readonly number[] {
    return this.source.shape(name);
  }

  async tensor(name: string): Promise<Tensor<"f32">> {
    return this.remember(name, await this.source.tensor(name));
  }

  async matrix(module: string): Promise<Tensor | QTensor> {
    return this.remember(`${module}.weight`, await this.source.matrix(module));
  }

  storedMatrix(module: string): Promise<Tensor | QTensor> {
    return this.matrix(module);
  }

  private remember<T extends Tensor | QTensor>(name: string, weight: T): T {
    if (weight instanceof Tensor && weight.dtype === "f32") {
      this.tensors.set(name, weight as Tensor<"f32">);
    }
    return weight;
  }
}
