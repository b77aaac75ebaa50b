import type { Products } from "../backend/packed-operand.ts";
import { forwardNormed } from "../nn/linear.ts";
import { normalize } from "../nn/norm.ts";
import type { RowPlaces } from "../nn/quantizable-model.ts";
import { add, cast, embedding, multiply, softCap } from "../tensor/ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { UsageError } from "../util/errors.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { EmbeddingAndHead } from "./decoder-weights.ts";

/** Returns x times a number; x itself where that is 1. */
export function scaled(x: Tensor<"f32">, factor: number): Tensor<"f32"> {
  if (factor === 1) return x;
  const width = x.shape.at(-1) ?? 0;
  const row = new Float32Array(width).fill(factor);
  return multiply(x, Tensor.from(x.backend, "f32", [width], row));
}

/**
 * Embeds ids `[batch, length]` that stand where `places` says, to `[batch, length, hiddenSize]`.
 */
export function embedIds(
  config: DecoderConfig,
  weights: EmbeddingAndHead,
  ids: Tensor<"i32">,
  places: RowPlaces,
): Tensor<"f32"> {
  const looked = scaled(weights.embedding.lookUp(ids), config.multipliers.embedding);
  const wide = weights.projectIn ? weights.projectIn.forward(looked) : looked;
  if (!weights.positions) return wide;
  return add(wide, learnedPositions(config, weights.positions, ids, places));
}

/**
 * Rows of a table of learned positions, one for each id.
 * @throws UsageError for a position that the table has no row for
 */
function learnedPositions(
  { positions, contextLength }: DecoderConfig,
  table: Tensor<"f32">,
  { backend, shape }: Tensor<"i32">,
  { position, tree, paged }: RowPlaces,
): Tensor<"f32"> {
  const [batch = 0, length = 0] = shape;
  const first = positions?.first ?? 0;
  const rows = paged ?? tree;
  const end = rows?.depth ?? position + length;
  if (first + end > table.shape[0]) {
    throw new UsageError(
      `${end} tokens are more than the ${contextLength} positions that the model has learned`,
      { hint: "shorten the prompt or the window" },
    );
  }
  if (rows) return embedding(table.slice(first, table.shape[0]), rows.positions.reshape(shape));
  const places = Int32Array.from(
    { length: batch * length },
    (_, i) => first + position + (i % length),
  );
  return embedding(table, Tensor.from(backend, "i32", shape, places));
}

/** Normalises hidden states `[T, hiddenSize]` as the output head reads them; a copy without a norm. */
export function finalNorm(
  { norm: rule }: DecoderConfig,
  { norm }: EmbeddingAndHead,
  hidden: Tensor,
): Tensor<"f32"> {
  return norm ? (normalize(hidden, norm, rule) as Tensor<"f32">) : cast(hidden, "f32");
}

/** Maps hidden states `[T, hiddenSize]` to logits `[T, vocabulary]`. */
export function headLogits(
  config: DecoderConfig,
  { norm, projectOut, head }: EmbeddingAndHead,
  hidden: Tensor,
  products: Products,
): Tensor<"f32"> {
  const { multipliers, caps } = config;
  const logits = (): Tensor<"f32"> => {
    if (norm && config.norm.kind === "rms" && !projectOut) {
      const shared = { weight: norm.weight, eps: config.norm.eps };
      return forwardNormed([head], hidden, shared, products)[0];
    }
    const normed = normalize(hidden, norm, config.norm);
    return head.forward(projectOut ? projectOut.forward(normed, products) : normed, products);
  };
  const multiplied = scaled(logits(), multipliers.logits);
  return caps.logits === null ? multiplied : softCap(multiplied, caps.logits);
}
