import type { Backend } from "../backend/backend.ts";
import type { AttentionOptions } from "../backend/kernels.ts";
import type { Products } from "../backend/packed-operand.ts";
import type {
  BlockPart,
  BlockPass,
  VocabularyTable,
  LinearDescription,
  QuantizableModel,
  ScaleGroup,
} from "../nn/quantizable-model.ts";
import { attendLayer, writeLayer } from "../nn/kv-cache.ts";
import { forwardNormed } from "../nn/linear.ts";
import { RopeTables } from "../nn/rope.ts";
import { attendTree } from "../nn/row-tree.ts";
import type { WeightSource } from "../nn/weight-source.ts";
import { add, attention, embedding, gelu, multiply, rmsNorm, rope, swiglu } from "../tensor/ops.ts";
import { type Tensor, tidy } from "../tensor/tensor.ts";
import { UsageError } from "../util/errors.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import {
  checkWeights,
  type DecoderBlock,
  type DecoderStage,
  type EmbeddingAndHead,
  describeEmbeddingAndHead,
  describeLinears,
  normNames,
  readBlock,
  readEmbeddingAndHead,
  releaseBlockWeights,
  releaseEmbeddingAndHeadWeights,
  slotNames,
} from "./decoder-weights.ts";

/**
 * A decoder-only transformer: pre-norm blocks of grouped-query attention with rotary positions and
 * a gated MLP. Weights come from a `WeightSource`, one block at a time or all.
 *
 *     h ← h + O·attention(rope(Q·n), rope(K·n), V·n),  n = norm(h)
 *     h ← h + down·(act(gate·m) ⊙ up·m),               m = norm(h)
 */
export class DecoderModel implements QuantizableModel {
  readonly backend: Backend;
  readonly config: DecoderConfig;
  private readonly source: WeightSource;
  private readonly ropeTables: RopeTables;
  private embeddingAndHeadWeights: EmbeddingAndHead | null = null;

  private constructor(backend: Backend, config: DecoderConfig, source: WeightSource) {
    this.backend = backend;
    this.config = config;
    this.source = source;
    this.ropeTables = new RopeTables(backend, config.rope);
  }

  /**
   * Checks names and shapes of all weights and reads embedding, final norm and output head.
   * @throws FormatError when the checkpoint does not fit the configuration
   */
  static async open(
    backend: Backend,
    config: DecoderConfig,
    source: WeightSource,
  ): Promise<DecoderModel> {
    checkWeights(config, source);
    const model = new DecoderModel(backend, config, source);
    await model.loadEmbeddingAndHead();
    return model;
  }

  get blockCount(): number {
    return this.config.layers.length;
  }

  get hiddenSize(): number {
    return this.config.hiddenSize;
  }

  linears(): readonly LinearDescription[] {
    return describeLinears(this.config);
  }

  loadBlock(index: number, source: WeightSource = this.source): Promise<DecoderBlock> {
    return readBlock(this.backend, this.config, source, index);
  }

  releaseBlock(block: DecoderBlock): void {
    releaseBlockWeights(block);
  }

  embeddingAndHead(): readonly VocabularyTable[] {
    return describeEmbeddingAndHead(this.config);
  }

  async loadEmbeddingAndHead(source: WeightSource = this.source): Promise<void> {
    this.embeddingAndHeadWeights ??= await readEmbeddingAndHead(this.backend, this.config, source);
  }

  releaseEmbeddingAndHead(): void {
    if (this.embeddingAndHeadWeights) releaseEmbeddingAndHeadWeights(this.embeddingAndHeadWeights);
    this.embeddingAndHeadWeights = null;
  }

  embed(ids: Tensor<"i32">): Tensor<"f32"> {
    return this.loadedEmbeddingAndHead().embedding.lookUp(ids);
  }

  logits(hidden: Tensor, products: Products = "exact"): Tensor<"f32"> {
    const { norm, head } = this.loadedEmbeddingAndHead();
    const shared = { weight: norm, eps: this.config.normEps };
    return tidy(() => forwardNormed([head], hidden, shared, products)[0]);
  }

  forwardBlock(block: DecoderBlock, hidden: Tensor, pass: BlockPass): Tensor<"f32"> | null {
    // What an observer was shown must live until the pass returns; otherwise each half gives its
    // memory back before the next begins.
    const half: typeof tidy = pass.observe ? (body) => body() : tidy;
    return tidy(() => {
      const middle = half(() => {
        const attended = this.attend(block, hidden, pass);
        return attended && add(wantedRows(hidden, pass), attended);
      });
      if (!middle) return null;
      return half(() => {
        const projected = this.feedForward(block, middle, pass);
        return projected && add(middle, projected);
      });
    });
  }

  forwardPart(block: DecoderBlock, part: BlockPart, hidden: Tensor): Tensor<"f32"> {
    const pass = { position: 0 };
    // A pass without `untilStage` is never stopped on the way.
    return tidy(() =>
      part === "attention"
        ? this.attend(block, hidden, pass)
        : this.feedForward(block, hidden, pass),
    ) as Tensor<"f32">;
  }

  scaleGroups(): readonly ScaleGroup[] {
    const { query, key, value, output, gate, up, down } = slotNames;
    const { heads, kvHeads, headDim } = this.config;
    const shared = heads === kvHeads ? {} : { channelOf: valueChannels(heads, kvHeads, headDim) };
    return [
      {
        producer: normNames.attention,
        producerKind: "norm",
        consumers: [query, key, value],
        scope: "attention",
      },
      {
        producer: value,
        producerKind: "linear",
        consumers: [output],
        scope: "consumers",
        ...shared,
      },
      {
        producer: normNames.mlp,
        producerKind: "norm",
        consumers: [gate, up],
        scope: "mlp",
      },
      { producer: up, producerKind: "linear", consumers: [down], scope: "consumers" },
    ];
  }

  /** Attention with its output projection, `[batch, length, hidden]`; null when stopped early. */
  private attend(block: DecoderBlock, hidden: Tensor, pass: BlockPass): Tensor<"f32"> | null {
    const { config } = this;
    const { heads, kvHeads, headDim } = config;
    const layer = config.layers[block.index];
    const projected = this.runInput(block, "attention", hidden, pass);
    if (!projected) return null;
    const [batch = 0, length = 0] = hidden.shape;
    const split = (x: Tensor<"f32">, count: number) => x.reshape([batch, length, count, headDim]);
    let q: Tensor = split(projected[0], heads);
    let k: Tensor = split(projected[1], kvHeads);
    const v = split(projected[2], kvHeads);
    if (block.norms.query) q = rmsNorm(q, block.norms.query, config.normEps);
    if (block.norms.key) k = rmsNorm(k, block.norms.key, config.normEps);
    if (layer.rope) [q, k] = this.rotate(q, k, pass);
    const window = layer.window === null ? {} : { window: layer.window };
    const mixed = attendPass(q, k, v, pass, { scale: headDim ** -0.5, ...window });
    const joined = wantedRows(mixed.reshape([batch, length, heads * headDim]), pass);
    return runStage(block, "attentionOutput", joined, pass)?.[0] ?? null;
  }

  /** Turns queries and keys to the positions of their tokens. */
  private rotate(q: Tensor, k: Tensor, { position, tree }: BlockPass): [Tensor, Tensor] {
    const { cos, sin } = this.ropeTables.upTo(tree?.depth ?? position + (q.shape[1] ?? 0));
    if (!tree) return [rope(q, cos, sin, position), rope(k, cos, sin, position)];
    const [ownCos, ownSin] = [embedding(cos, tree.positions), embedding(sin, tree.positions)];
    return [rope(q, ownCos, ownSin, 0), rope(k, ownCos, ownSin, 0)];
  }

  /** The gated MLP, `[batch, length, hidden]`; null when stopped on the way. */
  private feedForward(block: DecoderBlock, hidden: Tensor, pass: BlockPass): Tensor<"f32"> | null {
    const projected = this.runInput(block, "mlp", hidden, pass);
    if (!projected) return null;
    const gated = this.gate(projected[0], projected[1]);
    return runStage(block, "mlpOutput", gated, pass)?.[0] ?? null;
  }

  /** Normalises, shows the result to an observer, then multiplies; null when the pass ends here. */
  private runInput(
    block: DecoderBlock,
    part: BlockPart,
    hidden: Tensor,
    pass: BlockPass,
  ): Tensor<"f32">[] | null {
    const eps = this.config.normEps;
    const norm = block.norms[part];
    const stage = `${part}Input` as const;
    if (pass.observe || pass.untilStage === stage) {
      return runStage(block, stage, rmsNorm(hidden, norm, eps), pass);
    }
    const layers = block.stages[stage].map(({ layer }) => layer);
    return forwardNormed(layers, hidden, { weight: norm, eps }, pass.products ?? "exact");
  }

  private gate(gate: Tensor<"f32">, up: Tensor<"f32">): Tensor<"f32"> {
    const { activation } = this.config;
    if (activation === "silu") return swiglu(gate, up);
    return multiply(gelu(gate, activation === "gelu" ? "none" : "tanh"), up);
  }

  private loadedEmbeddingAndHead(): EmbeddingAndHead {
    if (this.embeddingAndHeadWeights) return this.embeddingAndHeadWeights;
    throw new UsageError(
      "embedding and output head were released: call loadEmbeddingAndHead() first",
    );
  }
}

/** Attention within the batch entries of a pass, the texts of its tree, or over its cache. */
function attendPass(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { cache, tree, position }: BlockPass,
  options: Omit<AttentionOptions, "keyLength">,
): Tensor<"f32"> {
  if (tree) return attendTree(q, k, v, tree, options);
  const keyLength = position + (q.shape[1] ?? 0);
  if (!cache) return attention(q, k, v, { ...options, keyLength });
  writeLayer(cache, k, v, position);
  return attendLayer(q, cache, { ...options, keyLength });
}

/** Those rows of `[1, rows, width]` that a pass continues with. */
function wantedRows<T extends Tensor>(x: T, { wanted }: BlockPass): T | Tensor<"f32"> {
  if (!wanted) return x;
  return embedding(x.reshape(x.shape.slice(1)), wanted.reshape([1, wanted.size]));
}

/** Value channel that feeds each column of the output projection; heads of a group share them. */
function valueChannels(heads: number, kvHeads: number, headDim: number): Int32Array {
  return Int32Array.from({ length: heads * headDim }, (_, column) => {
    const head = Math.floor(column / headDim);
    return Math.floor((head * kvHeads) / heads) * headDim + (column % headDim);
  });
}

/** Shows the input to the observer, then multiplies; null when the pass ends at this stage. */
function runStage(
  block: DecoderBlock,
  stage: DecoderStage,
  input: Tensor<"f32">,
  pass: BlockPass,
): Tensor<"f32">[] | null {
  const slots = block.stages[stage];
  for (const slot of slots) pass.observe?.(slot, input);
  if (pass.untilStage === stage) return null;
  return slots.map((slot) => slot.layer.forward(input, pass.products));
}
