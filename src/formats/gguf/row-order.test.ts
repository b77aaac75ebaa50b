import { expect, test } from "vitest";
import { pairedRows, partedRows, rowOrder } from "./row-order.ts";

test("the channels that a rotation turns lie side by side in the file", () => {
  // A head of width 6: numpy's arange(6).reshape(2, 3).swapaxes(0, 1).reshape(-1), the other way.
  expect([...pairedRows(6)]).toEqual([0, 2, 4, 1, 3, 5]);
});

test("joined heads become parts: all queries, then all keys, then all values", () => {
  // Two heads of width 2: rows of q0 k0 v0 q1 k1 v1 in the order q0 q1 k0 k1 v0 v1.
  expect([...partedRows(2, 2)]).toEqual([0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11]);
});

test("only queries and keys, and joined heads, lie otherwise", () => {
  const sizes = { heads: 9, kvHeads: 3, headDim: 4, joined: "parts" } as const;
  expect(rowOrder("blk.0.attn_q", true, sizes)).toHaveLength(4);
  expect(rowOrder("blk.0.attn_k", true, sizes)).toHaveLength(4);
  expect(rowOrder("blk.0.attn_q", false, sizes)).toBeNull();
  expect(rowOrder("blk.0.attn_v", true, sizes)).toBeNull();
  expect(rowOrder("blk.0.attn_qkv", false, sizes)).toBeNull();
  expect(rowOrder("blk.0.attn_qkv", false, { ...sizes, joined: "heads" })).toHaveLength(108);
});
