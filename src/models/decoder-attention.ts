import type { AttentionOptions } from "../backend/kernels.ts";
import type { Backend } from "../backend/backend.ts";
import { attendLayer, writeLayer } from "../nn/kv-cache.ts";
import { normalize, type NormWeights } from "../nn/norm.ts";
import type { BlockPass } from "../nn/quantizable-model.ts";
import { attendPaged } from "../nn/paged-rows.ts";
import { rotationOrder, RopeTables, type RopeConfig } from "../nn/rope.ts";
import { attendTree } from "../nn/row-tree.ts";
import { kvLevels } from "../quant/activation-grid.ts";
import { add, attention, embedding, multiply, rope, takeColumns } from "../tensor/ops.ts";
import { fakeQuantizeRows } from "../tensor/training-ops.ts";
import { joinRows } from "../tensor/route-ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { DecoderBlock } from "./decoder-weights.ts";

/** A way of rotating, with what it needs in memory. */
interface Rotation {
  readonly tables: RopeTables;
  /** Order of a head's channels in which halves are rotated; null where they lie so. */
  readonly order: Tensor<"i32"> | null;
}

/** What lies between the projections of queries, keys and values and the output projection. */
export class DecoderAttention {
  private readonly config: DecoderConfig;
  private readonly rotations: ReadonlyMap<RopeConfig, Rotation>;
  /** Columns of queries, keys and values in what a joined projection gives; null without one. */
  private readonly parts: readonly Tensor<"i32">[] | null;
  /** Weights of a norm that only normalises a head. */
  private readonly ones: Tensor<"f32">;

  constructor(backend: Backend, config: DecoderConfig) {
    this.config = config;
    const indices = (columns: Int32Array): Tensor<"i32"> =>
      Tensor.from(backend, "i32", [columns.length], columns);
    this.rotations = new Map(
      [...new Set(config.layers.flatMap(({ rope }) => rope ?? []))].map((rope) => {
        const order = rotationOrder(rope);
        const tables = new RopeTables(backend, rope);
        return [rope, { tables, order: order && indices(order) }];
      }),
    );
    const isJoined = config.names.slots.queryKeyValue !== undefined;
    this.parts = isJoined ? joinedColumns(config).map(indices) : null;
    const { headDim } = config;
    this.ones = Tensor.from(backend, "f32", [headDim], new Float32Array(headDim).fill(1));
  }

  /**
   * Maps what the projections give, `[batch, length, ...]`, to what all heads put together give.
   */
  forward(
    block: DecoderBlock,
    projected: readonly Tensor<"f32">[],
    pass: BlockPass,
  ): Tensor<"f32"> {
    const { config } = this;
    const { heads, kvHeads, headDim, attentionScale: scale, caps } = config;
    const layer = config.layers[block.index];
    const [joined] = projected;
    const [batch = 0, length = 0] = joined.shape;
    const split = (x: Tensor, count: number): Tensor => x.reshape([batch, length, count, headDim]);
    const parts = this.parts?.map((columns) => takeColumns(joined, columns)) ?? projected;
    let q = split(this.normalizeHeads(parts[0], block, "query"), heads);
    let k = split(this.normalizeHeads(parts[1], block, "key"), kvHeads);
    const v = split(parts[2], kvHeads);
    if (layer.rope) [q, k] = this.rotate(layer.rope, q, k, pass);
    const [keys, values] = roundedKeyValues(block, k, v, pass);
    const mixed = attendPass(q, keys, values, pass, {
      scale,
      ...(layer.window !== null && { window: layer.window }),
      ...(caps.scores !== null && { softCap: caps.scores }),
    });
    return mixed.reshape([batch, length, heads * headDim]);
  }

  /** Normalises queries or keys `[batch, length, width]`, where there is a norm. */
  private normalizeHeads(x: Tensor, block: DecoderBlock, key: "query" | "key"): Tensor {
    const { headNorms, headDim, norm: rule } = this.config;
    const norm = block.norms[key] ?? joined(block.headWeights[key], headDim);
    if (!norm) return x;
    if (headNorms === "all") return normalize(x, norm, rule);
    const heads = x.reshape([x.size / headDim, headDim]);
    if (headNorms === "each") return normalize(heads, norm, rule).reshape(x.shape);
    const even = normalize(heads, { weight: this.ones, bias: null }, rule).reshape(x.shape);
    const scaled = multiply(even, norm.weight.reshape([norm.weight.size]));
    return norm.bias ? add(scaled, norm.bias.reshape([norm.bias.size])) : scaled;
  }

  /** Turns queries and keys to the positions of their tokens. */
  private rotate(
    config: RopeConfig,
    q: Tensor,
    k: Tensor,
    { position, tree, paged }: BlockPass,
  ): [Tensor, Tensor] {
    const { tables, order } = this.rotations.get(config) as Rotation;
    const [inQ, inK] = order ? [takeColumns(q, order), takeColumns(k, order)] : [q, k];
    const { cos, sin } = paged
      ? tables.byPosition(paged.depth)
      : tables.upTo(tree?.depth ?? position + (q.shape[1] ?? 0));
    const rows = paged ?? tree;
    if (!rows) return [rope(inQ, cos, sin, position), rope(inK, cos, sin, position)];
    const [ownCos, ownSin] = [embedding(cos, rows.positions), embedding(sin, rows.positions)];
    return [rope(inQ, ownCos, ownSin, 0), rope(inK, ownCos, ownSin, 0)];
  }
}

/** Keys and values as the cache that is meant for the block would give them back. */
function roundedKeyValues(
  { kvCache }: DecoderBlock,
  k: Tensor,
  v: Tensor,
  { cache }: BlockPass,
): readonly [Tensor, Tensor] {
  if (kvCache === null || cache) return [k, v];
  const levels = kvLevels[kvCache];
  return [fakeQuantizeRows(k, levels), fakeQuantizeRows(v, levels)];
}

/** Weights of a norm from those of each head. */
function joined(
  heads: readonly Tensor<"f32">[] | undefined,
  headDim: number,
): NormWeights | undefined {
  return heads && { weight: joinRows(heads.map((w) => w.reshape([1, headDim]))), bias: null };
}

/** Where queries, keys and values lie in what a joined projection gives. */
export function joinedColumns({
  heads,
  kvHeads,
  headDim,
  joined,
}: DecoderConfig): [queries: Int32Array, keys: Int32Array, values: Int32Array] {
  const widths = [heads, kvHeads, kvHeads].map((count) => count * headDim);
  const starts = [0, widths[0], widths[0] + widths[1]];
  const of = (part: 0 | 1 | 2): Int32Array =>
    Int32Array.from({ length: widths[part] }, (_, column) => {
      if (joined === "parts") return starts[part] + column;
      const head = Math.floor(column / headDim);
      return (3 * head + part) * headDim + (column % headDim);
    });
  return [of(0), of(1), of(2)];
}

/** Attention within the batch entries of a pass, the texts of its tree, or over a cache. */
function attendPass(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { cache, tree, paged, position }: BlockPass,
  options: Omit<AttentionOptions, "keyLength">,
): Tensor<"f32"> {
  if (tree) return attendTree(q, k, v, tree, options);
  const keyLength = position + (q.shape[1] ?? 0);
  if (!cache) return attention(q, k, v, { ...options, keyLength });
  if (paged) return attendPaged(q, k, v, cache, paged, options);
  writeLayer(cache, k, v, position);
  return attendLayer(q, cache, { ...options, keyLength });
}
