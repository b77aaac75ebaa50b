/*
 * Names and order of rows, in both directions: a module of a Hugging Face checkpoint and the same
 * module in a GGUF file. What follows the module's name (`.weight`, `.bias`) is the same in both.
 * Source: gguf-py's tensor_mapping.py, and `modify_tensors` of llama.cpp's converter.
 */

/** What a family calls its modules, by what they are; null and absent where it has none. */
export interface CheckpointNames {
  /** In front of the names of blocks: block i is `blocks.i`. */
  readonly blocks: string;
  /** Linear layers, by names below the block. */
  readonly slots: Readonly<Partial<Record<keyof typeof slotNames, string>>>;
  /** Norms, by names below the block. */
  readonly norms: Readonly<Partial<Record<string, string>>>;
  readonly embedding: string;
  readonly positions: string | null;
  readonly norm: string | null;
  readonly head: string;
}

/** Linear layers in GGUF files, by what they are. A joined gate and up stands for up. */
const slotNames = {
  query: "attn_q",
  key: "attn_k",
  value: "attn_v",
  queryKeyValue: "attn_qkv",
  output: "attn_output",
  gate: "ffn_gate",
  up: "ffn_up",
  gateUp: "ffn_up",
  down: "ffn_down",
} as const;

/** Norms in GGUF files, by what they are of. */
const normNames: Readonly<Record<string, string>> = {
  attention: "attn_norm",
  mlp: "ffn_norm",
  query: "attn_q_norm",
  key: "attn_k_norm",
  attentionOutput: "post_attention_norm",
  mlpOutput: "post_ffw_norm",
};

/** Tensor of llama.cpp that divides the frequencies of the rotation; no module of a checkpoint. */
export const ropeFactorsName = "rope_freqs.weight";

/** Tensors of the factors of LongRoPE, within the original context and beyond it. */
export const longFactorsNames = {
  short: "rope_factors_short.weight",
  long: "rope_factors_long.weight",
} as const;

/** Names of modules in GGUF files by those in checkpoints, and back. */
export class GgufNames {
  private readonly blocks: string;
  private readonly outer: ReadonlyMap<string, string>;
  private readonly inner: ReadonlyMap<string, string>;

  constructor({ blocks, slots, norms, embedding, positions, norm, head }: CheckpointNames) {
    this.blocks = `${blocks}.`;
    this.outer = pairs([
      [embedding, "token_embd"],
      [positions, "position_embd"],
      [norm, "output_norm"],
      [head, "output"],
    ]);
    this.inner = pairs([...named(slots, slotNames), ...named(norms, normNames)]);
  }

  /** Returns a module's name in GGUF files, null where it has none: `blk.3.attn_q`. */
  toGguf(module: string): string | null {
    const inner = module.startsWith(this.blocks) ? module.slice(this.blocks.length) : "";
    const block = /^(\d+)\.(.+)$/.exec(inner);
    if (!block) return this.outer.get(module) ?? null;
    const name = this.inner.get(block[2]);
    return name === undefined ? null : `blk.${block[1]}.${name}`;
  }

  /** Returns the name that a module of a GGUF file has in checkpoints, null where it has none. */
  toCheckpoint(module: string): string | null {
    const block = /^blk\.(\d+)\.(.+)$/.exec(module);
    if (!block) return keyOf(this.outer, module);
    const name = keyOf(this.inner, block[2]);
    return name === null ? null : `${this.blocks}${block[1]}.${name}`;
  }
}

function named(
  own: Readonly<Partial<Record<string, string>>>,
  gguf: Readonly<Record<string, string>>,
): (readonly [string | undefined, string])[] {
  return Object.entries(gguf).map(([key, name]) => [own[key], name]);
}

function pairs(all: readonly (readonly [string | null | undefined, string])[]) {
  return new Map(all.flatMap(([own, gguf]) => (own ? [[own, gguf] as const] : [])));
}

function keyOf(map: ReadonlyMap<string, string>, value: string): string | null {
  for (const [key, each] of map) if (each === value) return key;
  return null;
}

/** Takes a tensor's name apart: `blk.0.attn_q.weight` into the module and `.weight`. */
export function splitTensorName(name: string): readonly [module: string, ending: string] {
  const dot = name.lastIndexOf(".");
  return dot < 0 ? [name, ""] : [name.slice(0, dot), name.slice(dot)];
}

/** What the order of rows goes by. */
interface RowSizes {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Whether query, key and value of each head lie side by side in a joined projection. */
  readonly joined: "parts" | "heads";
}

/**
 * The order of the rows of a module: for each of so many rows of a checkpoint the place in a GGUF
 * file. Where a module has more rows, it begins again behind them.
 */
export type RowOrder = Uint32Array;

/**
 * Returns the order of a module's rows in GGUF files where that is another: of queries and keys
 * where the architecture permutes them, of a joined projection whose heads lie apart, which llama.cpp
 * has in parts: all queries, then all keys, then all values.
 * @param gguf name of the module in GGUF files
 */
export function rowOrder(gguf: string, permuted: boolean, sizes: RowSizes): RowOrder | null {
  if (permuted && /^blk\.\d+\.attn_[qk]$/.test(gguf)) return pairedRows(sizes.headDim);
  if (sizes.joined === "parts" || !/^blk\.\d+\.attn_qkv$/.test(gguf)) return null;
  return partedRows(sizes.heads, sizes.headDim);
}

/**
 * Row `p·D/2 + i` of half p of a head of width D is row `2i + p` of the file: the two channels that a
 * rotation turns lie side by side there.
 */
export function pairedRows(headDim: number): RowOrder {
  const half = headDim / 2;
  return Uint32Array.from({ length: headDim }, (_, row) =>
    row < half ? 2 * row : 2 * (row - half) + 1,
  );
}

/** Row `(3h + p)·D + i` of part p of head h is row `(p·H + h)·D + i` of the file. */
export function partedRows(heads: number, headDim: number): RowOrder {
  return Uint32Array.from({ length: 3 * heads * headDim }, (_, row) => {
    const [slot, i] = [Math.floor(row / headDim), row % headDim];
    return ((slot % 3) * heads + Math.floor(slot / 3)) * headDim + i;
  });
}
