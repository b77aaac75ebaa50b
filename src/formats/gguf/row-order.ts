/*
 * Order of rows of a module in GGUF files. Source: `modify_tensors` of llama.cpp's converter.
 */

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
