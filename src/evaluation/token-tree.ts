import type { Backend } from "../backend/backend.ts";
import type { RowSpan, RowTree } from "../nn/row-tree.ts";
import { Tensor } from "../tensor/tensor.ts";
import { commonLength } from "../util/common-length.ts";

/** Token sequences as one batch in which common prefixes are stored once. */
export interface TokenTree extends RowTree {
  /** Token of each row. */
  readonly ids: Int32Array;
  /** Of each sequence the row of each of its tokens. */
  readonly rows: readonly Int32Array[];
}

/** Orders token sequences so that those with the longest common prefixes are adjacent. */
export function compareTokens(a: Int32Array, b: Int32Array): number {
  const shared = commonLength(a, b);
  if (shared === a.length || shared === b.length) return a.length - b.length;
  return a[shared] - b[shared];
}

/** Puts sequences, in the order of `compareTokens`, into a tree. None may be empty. */
export function growTree(backend: Backend, sequences: readonly Int32Array[]): TokenTree {
  const spans: RowSpan[] = [];
  const ids: number[] = [];
  const positions: number[] = [];
  const rows = sequences.map(({ length }) => new Int32Array(length));
  const grow = (first: number, end: number, from: number): void => {
    const longest = sequences[first];
    const to = commonLength(longest, sequences[end - 1]);
    const start = ids.length;
    for (let position = from; position < to; position++) {
      for (let i = first; i < end; i++) rows[i][position] = ids.length;
      ids.push(longest[position]);
      positions.push(position);
    }
    if (to > from) spans.push({ start, rows: to - from, position: from });
    for (let next = first; next < end; ) {
      const token = sequences[next][to];
      const branch = next;
      while (next < end && sequences[next][to] === token) next++;
      if (token !== undefined) grow(branch, next, to);
    }
  };
  if (sequences.length > 0) grow(0, sequences.length, 0);
  return {
    spans,
    ids: Int32Array.from(ids),
    positions: Tensor.from(backend, "i32", [ids.length], Int32Array.from(positions)),
    depth: sequences.reduce((most, { length }) => Math.max(most, length), 0),
    rows,
  };
}
