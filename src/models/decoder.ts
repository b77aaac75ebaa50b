import type { Backend } from "../backend/backend.ts";
import type { Products } from "../backend/packed-operand.ts";
import type {
  BlockPart,
  BlockPass,
  VocabularyTable,
  LinearDescription,
  QuantizableModel,
  RowPlaces,
  ScaleGroup,
  ScorePair,
} from "../nn/quantizable-model.ts";
import { forwardNormed } from "../nn/linear.ts";
import { normalize } from "../nn/norm.ts";
import type { WeightSource } from "../nn/weight-source.ts";
import { add, embedding, gelu, multiply, relu, swiglu, takeColumns } from "../tensor/ops.ts";
import { Tensor, tidy } from "../tensor/tensor.ts";
import { UsageError } from "../util/errors.ts";
import { DecoderAttention } from "./decoder-attention.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import { type BlockExperts, forwardExperts } from "./decoder-experts.ts";
import { embedIds, finalNorm, headLogits, scaled } from "./decoder-ends.ts";
import { decoderScaleGroups, decoderScorePair } from "./decoder-scale-groups.ts";
import {
  checkWeights,
  describeEmbeddingAndHead,
  describeLinears,
  gateModules,
  isSparse,
} from "./decoder-tensors.ts";
import {
  type DecoderBlock,
  type DecoderStage,
  type EmbeddingAndHead,
  readBlock,
  readExpertBlock,
  readEmbeddingAndHead,
  releaseBlockWeights,
  releaseEmbeddingAndHeadWeights,
} from "./decoder-weights.ts";

/**
 * A decoder-only transformer. Its blocks are attention and an MLP, each added to the residual
 * stream; which norms, gates, joined matrices, positions and factors there are, its configuration
 * says. Of a Llama:
 *
 *     h ← h + O·attention(rope(Q·n), rope(K·n), V·n),  n = norm(h)
 *     h ← h + down·(act(gate·m) ⊙ up·m),               m = norm(h)
 *
 * Weights come from a `WeightSource`, one block at a time or all.
 */
export class DecoderModel implements QuantizableModel {
  readonly backend: Backend;
  readonly config: DecoderConfig;
  private readonly source: WeightSource;
  private readonly attention: DecoderAttention;
  /** Columns of gate and up in what a joined projection gives; null without one. */
  private readonly gateUp: readonly Tensor<"i32">[] | null;
  private embeddingAndHeadWeights: EmbeddingAndHead | null = null;

  private constructor(backend: Backend, config: DecoderConfig, source: WeightSource) {
    this.backend = backend;
    this.config = config;
    this.source = source;
    this.attention = new DecoderAttention(backend, config);
    const width = config.intermediateSize;
    const columns = (start: number): Tensor<"i32"> =>
      Tensor.from(
        backend,
        "i32",
        [width],
        Int32Array.from({ length: width }, (_, i) => start + i),
      );
    this.gateUp = config.names.slots.gateUp === undefined ? null : [columns(0), columns(width)];
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

  gates(): readonly string[] {
    return gateModules(this.config);
  }

  loadBlock(
    index: number,
    source: WeightSource = this.source,
    experts: "all" | "none" = "all",
  ): Promise<DecoderBlock> {
    return readBlock(this.backend, this.config, source, { index, experts });
  }

  expertCount(index: number): number {
    return isSparse(this.config, index) ? (this.config.experts?.count ?? 0) : 0;
  }

  async loadExpert(
    block: DecoderBlock,
    expert: number,
    source: WeightSource = this.source,
  ): Promise<DecoderBlock> {
    const found = await readExpertBlock(this.backend, this.config, source, { block, expert });
    if (found) return found;
    throw new UsageError(`${block.name} has no expert ${expert}`);
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

  embed(ids: Tensor<"i32">, places: RowPlaces = { position: 0 }): Tensor<"f32"> {
    const weights = this.ends;
    return tidy(() => embedIds(this.config, weights, ids, places));
  }

  logits(hidden: Tensor, products: Products = "exact"): Tensor<"f32"> {
    const weights = this.ends;
    return tidy(() => headLogits(this.config, weights, hidden, products));
  }

  /** Final norm alone: what the output head, or the projection in front of it, reads. */
  finalStates(hidden: Tensor): Tensor<"f32"> {
    return tidy(() => finalNorm(this.config, this.ends, hidden));
  }

  forwardBlock(block: DecoderBlock, hidden: Tensor, pass: BlockPass): Tensor<"f32"> | null {
    if (block.part) return tidy(() => this.feedForward(block, hidden, pass));
    return tidy(() => {
      let [stream, last] = [hidden, pass];
      for (let run = 1; run < this.config.blockRuns; run++) {
        const { untilStage: _, wanted: __, ...whole } = last;
        // A pass without `untilStage` is never stopped on the way.
        stream = this.runBlock(block, stream, whole) as Tensor<"f32">;
        last = withNextCache(last);
      }
      return this.runBlock(block, stream, last);
    });
  }

  /** One of the runs of a block. */
  private runBlock(block: DecoderBlock, hidden: Tensor, pass: BlockPass): Tensor<"f32"> | null {
    // What an observer was shown must live until the pass returns; otherwise each half gives its
    // memory back before the next begins.
    const half: typeof tidy = pass.observe ? (body) => body() : tidy;
    const middle = half(() => {
      const attended = this.attend(block, hidden, pass);
      if (!attended) return null;
      const sum = add(wantedRows(hidden, pass), attended);
      return normalize(sum, block.norms.attentionStream, this.config.norm);
    });
    if (!middle) return null;
    return half(() => {
      const input = this.config.parallel ? wantedRows(hidden, pass) : middle;
      const projected = this.feedForward(block, input, pass);
      if (!projected) return null;
      return normalize(add(middle, projected), block.norms.mlpStream, this.config.norm);
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

  partInputs(block: DecoderBlock, part: BlockPart, hidden: Tensor<"f32">): Tensor<"f32">[] {
    return tidy(() => {
      const streams = [hidden];
      for (let run = 1; run < this.config.blockRuns; run++) {
        const next = this.runBlock(block, streams[run - 1], { position: 0 });
        streams.push(next as Tensor<"f32">);
      }
      return streams.map((stream) => this.partInput(block, part, stream));
    });
  }

  /** What a part reads in a run of a block that gets `hidden`. */
  private partInput(block: DecoderBlock, part: BlockPart, hidden: Tensor<"f32">): Tensor<"f32"> {
    if (part === "attention" || this.config.parallel) return hidden;
    const sum = add(hidden, this.forwardPart(block, "attention", hidden));
    return normalize(sum, block.norms.attentionStream, this.config.norm) as Tensor<"f32">;
  }

  scaleGroups(index = 0): readonly ScaleGroup[] {
    return decoderScaleGroups(this.config, index);
  }

  scorePair(index = 0): ScorePair | null {
    return decoderScorePair(this.config, index);
  }

  /** What attention adds to the stream, `[batch, length, hidden]`; null when stopped on the way. */
  private attend(block: DecoderBlock, hidden: Tensor, pass: BlockPass): Tensor<"f32"> | null {
    const projected = this.runInput(block, "attention", hidden, pass);
    if (!projected) return null;
    const mixed = wantedRows(this.attention.forward(block, projected, pass), pass);
    const output = runStage(block, "attentionOutput", mixed, pass)?.[0];
    return output ? this.branchOutput(block, "attention", output) : null;
  }

  /** What the MLP adds to the stream, `[batch, length, hidden]`; null when stopped on the way. */
  private feedForward(block: DecoderBlock, hidden: Tensor, pass: BlockPass): Tensor<"f32"> | null {
    if (block.mixture) return this.sendToExperts(block, block.mixture, hidden, pass);
    const projected = this.runInput(block, "mlp", hidden, pass);
    if (!projected) return null;
    const [joined] = projected;
    const parts = this.gateUp?.map((columns) => takeColumns(joined, columns)) ?? projected;
    const output = runStage(block, "mlpOutput", this.activate(parts), pass)?.[0];
    return output ? this.branchOutput(block, "mlp", output) : null;
  }

  /** The same, of a mixture. */
  private sendToExperts(
    block: DecoderBlock,
    mixture: BlockExperts,
    hidden: Tensor,
    pass: BlockPass,
  ): Tensor<"f32"> | null {
    const input = normalize(hidden, block.norms.mlp, this.config.norm) as Tensor<"f32">;
    const activate = (parts: readonly Tensor<"f32">[]): Tensor<"f32"> => this.activate(parts);
    const output = forwardExperts(mixture, input, { pass, activate });
    return output && this.branchOutput(block, "mlp", output);
  }

  /** What becomes of an output projection's result before it is added. */
  private branchOutput(block: DecoderBlock, part: BlockPart, output: Tensor<"f32">): Tensor<"f32"> {
    const normed = normalize(output, block.norms[`${part}Output`], this.config.norm);
    return scaled(normed, this.config.multipliers.residual);
  }

  /** Normalises, shows the result to an observer, then multiplies; null when the pass ends here. */
  private runInput(
    block: DecoderBlock,
    part: BlockPart,
    hidden: Tensor,
    pass: BlockPass,
  ): Tensor<"f32">[] | null {
    const { norm: rule, parallel } = this.config;
    const norm = block.norms[part] ?? (parallel ? block.norms.attention : undefined);
    const stage = `${part}Input` as const;
    if (!norm || rule.kind === "layer" || pass.observe || pass.untilStage === stage) {
      return runStage(block, stage, normalize(hidden, norm, rule) as Tensor<"f32">, pass);
    }
    const layers = block.stages[stage].map(({ layer }) => layer);
    const shared = { weight: norm.weight, eps: rule.eps };
    return forwardNormed(layers, hidden, shared, pass.products ?? "exact");
  }

  /** `act(gate) ⊙ up`, or `act(up)` where there is no gate. */
  private activate([first, up]: readonly Tensor<"f32">[]): Tensor<"f32"> {
    const { activation } = this.config;
    if (activation === "silu" && up) return swiglu(first, up);
    const bent = bend(first, activation);
    return up ? multiply(bent, up) : bent;
  }

  /** What stands before and behind the blocks. @throws UsageError when it was released */
  get ends(): EmbeddingAndHead {
    if (this.embeddingAndHeadWeights) return this.embeddingAndHeadWeights;
    throw new UsageError(
      "embedding and output head were released: call loadEmbeddingAndHead() first",
    );
  }
}

/** The pass of the next run of a block: that has a cache of its own. */
function withNextCache({ cache, ...pass }: BlockPass): BlockPass {
  if (!cache) return pass;
  if (cache.nextRun) return { ...pass, cache: cache.nextRun };
  throw new UsageError("the key-value cache has no room for another run of a block");
}

/** Those rows of `[1, rows, width]` that a pass continues with. */
function wantedRows<T extends Tensor>(x: T, { wanted }: BlockPass): T | Tensor<"f32"> {
  if (!wanted) return x;
  return embedding(x.reshape(x.shape.slice(1)), wanted.reshape([1, wanted.size]));
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

function bend(x: Tensor<"f32">, activation: DecoderConfig["activation"]): Tensor<"f32"> {
  switch (activation) {
    case "relu":
      return relu(x);
    case "relu-squared":
      return multiply(relu(x), x);
    case "gelu":
      return gelu(x);
    case "gelu-tanh":
      return gelu(x, "tanh");
    case "silu":
      return swiglu(x, Tensor.from(x.backend, "f32", x.shape, new Float32Array(x.size).fill(1)));
  }
}
