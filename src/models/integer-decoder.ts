import type { Factor, FactorArrays } from "../backend/integer-kernels.ts";
import type { Backend } from "../backend/backend.ts";
import { factorOf, IntegerOnlyLinear, rowLevels } from "../nn/integer-only-linear.ts";
import type { IntegerOnlyNorm } from "../nn/integer-only-norm.ts";
import { integerRowsOf } from "../nn/integer-linear.ts";
import type { IntegerRows } from "../nn/linear.ts";
import { writeRows } from "../tensor/cache-ops.ts";
import type { BlockPass, RowPlaces } from "../nn/quantizable-model.ts";
import type { RopeConfig } from "../nn/rope.ts";
import { functionBits } from "../quant/integer-functions.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { hasIntegerRows } from "../quant/scheme.ts";
import {
  integerAdd,
  integerAttention,
  integerGate,
  integerLookUp,
  integerRound,
  integerRoundHeads,
  type IntegerRowsRounded,
  integerToFloat,
} from "../tensor/integer-only-ops.ts";
import { type Tensor, tidy } from "../tensor/tensor.ts";
import { UnsupportedError } from "../util/errors.ts";
import type { DecoderModel } from "./decoder.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { LinearWeight } from "../nn/linear.ts";
import type { DecoderBlock } from "./decoder-weights.ts";
import { type IntegerBlock, type Projection, toIntegerBlock, toNorm } from "./integer-block.ts";
import { integerObstacles } from "./integer-obstacles.ts";
import { IntegerRotation } from "./integer-rotation.ts";

/** Bits that the largest value of the embedding takes in the residual stream. */
const embeddingBits = 14;
/** What an int32 of 1 stands for in logits: those within ±1024 are exact as float32. */
const logitUnit = 2 ** -14;

interface Ends {
  readonly table: IntegerRows;
  readonly factors: FactorArrays;
  readonly norm: IntegerOnlyNorm;
  readonly head: IntegerOnlyLinear;
}

/**
 * A decoder whose forward pass, from token ids to logits, is of integers: 8-bit weights and inputs
 * of products, int32 between layers, each tensor with a unit that is known beforehand. The residual
 * stream is int32 with one unit for all blocks, so that additions are exact.
 */
export class IntegerDecoder {
  readonly backend: Backend;
  readonly config: DecoderConfig;
  readonly integerOnly = true;
  /** Keys and values are 8-bit codes, a factor for each token and head. */
  readonly ownCache = { dtype: "i8", factors: true } as const;
  private readonly stream: number;
  private readonly ends: Ends;
  private readonly rotations: ReadonlyMap<RopeConfig, IntegerRotation>;

  private constructor(backend: Backend, config: DecoderConfig, stream: number, ends: Ends) {
    this.backend = backend;
    this.config = config;
    this.stream = stream;
    this.ends = ends;
    const ropes = new Set(config.layers.flatMap(({ rope }) => rope ?? []));
    this.rotations = new Map(
      [...ropes].map((rope) => [rope, new IntegerRotation(backend, rope)] as const),
    );
  }

  /**
   * Takes over embedding, final norm and head of a model.
   * @throws UnsupportedError when the model has what there is no integer form of, or its embedding or
   * head is not of 8-bit integers
   */
  static async of({ backend, config, ends }: DecoderModel): Promise<IntegerDecoder> {
    const missing = integerObstacles(config);
    if (missing.length > 0) {
      throw new UnsupportedError(
        `a ${config.modelType} cannot run without floats: it has ${missing.join(", ")}`,
        { hint: "evaluate it without `integerOnly`" },
      );
    }
    const table = tableRows(ends.embedding.weight, "embedding");
    const stream = (Math.max(...table.rowScales) * rowLevels) / 2 ** embeddingBits;
    const norm = await toNorm(ends.norm, config.norm.eps, stream);
    if (!norm) throw new UnsupportedError("a model without a final norm cannot run without floats");
    const head = new IntegerOnlyLinear(tableRows(ends.head.weight, "head"), {
      input: norm.unit,
      output: logitUnit,
    });
    const factors = Array.from(table.rowScales, (scale) => factorOf(scale / stream));
    return new IntegerDecoder(backend, config, stream, {
      table,
      factors: {
        multipliers: Int32Array.from(factors, ({ multiplier }) => multiplier),
        shifts: Int32Array.from(factors, ({ shift }) => shift),
      },
      norm,
      head,
    });
  }

  get hiddenSize(): number {
    return this.config.hiddenSize;
  }

  /** Turns a block in memory into integers; it need not stay in memory but for its 8-bit weights. */
  convertBlock(block: DecoderBlock): Promise<IntegerBlock> {
    return toIntegerBlock(block, this.config, this.stream);
  }

  /** Embeds ids `[batch, length]` to `[batch, length, hiddenSize]` i32. */
  embed(ids: Tensor<"i32">, _places?: RowPlaces): Tensor<"i32"> {
    const { table, factors } = this.ends;
    return integerLookUp(table.weight, ids, factors);
  }

  /** Runs a block on the stream `[batch, length, hiddenSize]` i32. @throws UnsupportedError for trees */
  forwardBlock(block: IntegerBlock, hidden: Tensor, pass: BlockPass): Tensor<"i32"> {
    if (pass.tree) {
      throw new UnsupportedError("texts that share their beginnings are not run without floats", {
        hint: "evaluate tasks without `integerOnly`",
      });
    }
    const stream = hidden as Tensor<"i32">;
    return tidy(() => {
      const middle = integerAdd(stream, this.attend(block, stream, pass));
      return integerAdd(middle, feedForward(block, middle));
    });
  }

  /** Final norm and head: `[T, hiddenSize]` i32 to logits `[T, vocabulary]` i32, units of 2^−14. */
  integerLogits(hidden: Tensor): Tensor<"i32"> {
    const { norm, head } = this.ends;
    return tidy(() => head.forward(integerRound(norm.forward(hidden as Tensor<"i32">), null)));
  }

  /** The same as float32. */
  logits(hidden: Tensor): Tensor<"f32"> {
    return tidy(() => integerToFloat(this.integerLogits(hidden), logitUnit));
  }

  /** What attention adds to the stream. */
  private attend(block: IntegerBlock, stream: Tensor<"i32">, pass: BlockPass): Tensor<"i32"> {
    const { heads, kvHeads, headDim } = this.config;
    const [batch = 0, length = 0] = stream.shape;
    const normed = block.norms.attention.forward(stream);
    const { query, key, value, norms } = block;
    const [q, k, v] = runProjections([query, key, value], normed);
    const split = (x: Tensor<"i32">, count: number): Tensor<"i32"> =>
      x.reshape([batch, length, count, headDim]);
    const turned = [norms.query, norms.key].map((norm, i) => {
      const wide = split([q, k][i], [heads, kvHeads][i]);
      return this.rotate(block, norm ? norm.forward(wide) : wide, pass.position);
    });
    const [queries, keys] = turned.map(integerRoundHeads);
    const seen = keepHeads(keys, integerRoundHeads(split(v, kvHeads)), pass);
    const { window } = this.config.layers[block.index];
    const mixed = integerAttention(queries, seen.keys, seen.values, {
      score: this.scoreFactor(block),
      keyLength: pass.position + length,
      ...(window !== null && { window }),
    });
    const rows = mixed.reshape([batch * length, heads * headDim]);
    const { linear, rounding } = block.output;
    return linear.forward(integerRound(rows, rounding)).reshape(stream.shape);
  }

  private rotate(block: IntegerBlock, x: Tensor<"i32">, position: number): Tensor<"i32"> {
    const { rope } = this.config.layers[block.index];
    const rotation = rope && this.rotations.get(rope);
    return rotation ? rotation.rotate(x, position) : x;
  }

  /** From product sums times factors of queries and keys to nats in Q14. */
  private scoreFactor({ query, key, norms }: IntegerBlock): Factor {
    const units = (norms.query?.unit ?? query.unit) * (norms.key?.unit ?? key.unit);
    return factorOf((this.config.attentionScale * units * 2 ** functionBits) / rowLevels ** 2);
  }

  /** Nothing: the 8-bit weights belong to the model that it was made of. */
  releaseBlock(): void {}

  /** Nothing, as `releaseBlock`. */
  releaseEmbeddingAndHead(): void {}
}

/** What the MLP adds to the stream. */
function feedForward(block: IntegerBlock, stream: Tensor<"i32">): Tensor<"i32"> {
  const { gate, up, gating, down, norms } = block;
  const [gates, ups] = runProjections([gate, up], norms.mlp.forward(stream));
  return down.forward(integerGate(gates, ups, gating)).reshape(stream.shape);
}

/** Runs projections of the same rows, which are rounded once where they round alike. */
function runProjections(
  projections: readonly Projection[],
  normed: Tensor<"i32">,
): Tensor<"i32">[] {
  const known = new Map<string, IntegerRowsRounded>();
  return projections.map(({ linear, rounding }) => {
    const way = JSON.stringify(rounding);
    const codes = known.get(way) ?? integerRound(normed, rounding);
    known.set(way, codes);
    return linear.forward(codes);
  });
}

type Heads = ReturnType<typeof integerRoundHeads>;

/** Keys and values that a pass sees: its own, or those of its cache with its own written behind. */
function keepHeads(
  keys: Heads,
  values: Heads,
  { cache, position }: BlockPass,
): {
  readonly keys: { readonly codes: Tensor; readonly factors: Tensor };
  readonly values: { readonly codes: Tensor; readonly factors: Tensor };
} {
  if (!cache?.scales) return { keys, values };
  writeRows(cache.keys, keys.codes, position);
  writeRows(cache.scales.keys, keys.factors, position);
  writeRows(cache.values, values.codes, position);
  writeRows(cache.scales.values, values.factors, position);
  return {
    keys: { codes: cache.keys, factors: cache.scales.keys },
    values: { codes: cache.values, factors: cache.scales.values },
  };
}

function tableRows(weight: LinearWeight, role: "embedding" | "head"): IntegerRows {
  if (weight instanceof QTensor && hasIntegerRows(weight.scheme)) return integerRowsOf(weight);
  const scheme = weight instanceof QTensor ? weight.scheme.id : "float";
  throw new UnsupportedError(
    `the ${role} is ${scheme}: without floats it has to be of 8-bit integers, a scale a row`,
    { hint: `quantize with \`${role}: w8-narrow\``, field: role },
  );
}
