import { describe, expect, it } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { Prng } from "../util/prng.ts";
import { compareTokens, growTree } from "./token-tree.ts";
import { commonLength } from "../util/common-length.ts";

const backend = createReferenceBackend();
const ids = (...values: number[]): Int32Array => Int32Array.from(values);

describe("growTree", () => {
  it("stores a common prefix once, in front of all that continue it", () => {
    const tree = growTree(backend, [ids(5, 1, 2), ids(5, 1, 3, 4), ids(5, 2), ids(7)]);
    expect([...tree.ids]).toEqual([5, 1, 2, 3, 4, 2, 7]);
    expect(tree.spans).toEqual([
      { start: 0, rows: 1, position: 0 },
      { start: 1, rows: 1, position: 1 },
      { start: 2, rows: 1, position: 2 },
      { start: 3, rows: 2, position: 2 },
      { start: 5, rows: 1, position: 1 },
      { start: 6, rows: 1, position: 0 },
    ]);
    expect(tree.depth).toBe(4);
    expect(tree.rows.map((rows) => [...rows])).toEqual([[0, 1, 2], [0, 1, 3, 4], [0, 5], [6]]);
  });

  it("has one row a token for equal sequences and for one that is a prefix of another", () => {
    const tree = growTree(backend, [ids(1, 2), ids(1, 2), ids(1, 2, 3)]);
    expect([...tree.ids]).toEqual([1, 2, 3]);
    expect(tree.rows[1]).toEqual(tree.rows[0]);
  });

  it("lets every token see just those before it in its sequence", () => {
    const random = new Prng(3);
    const draw = (below: number): number => Math.floor(random.uniform() * below);
    for (let round = 0; round < 50; round++) {
      const sequences = Array.from({ length: 1 + draw(12) }, () =>
        Int32Array.from({ length: 1 + draw(6) }, () => draw(3)),
      ).sort(compareTokens);
      const tree = growTree(backend, sequences);
      const seen = rowsSeen(tree.spans);
      for (const [index, sequence] of sequences.entries()) {
        const rows = [...tree.rows[index]];
        expect(rows.map((row) => tree.ids[row])).toEqual([...sequence]);
        const last = rows.at(-1) ?? 0;
        expect(seen[last]).toEqual(rows);
      }
      const beginnings = sequences.flatMap((sequence) =>
        Array.from(sequence, (_, i) => sequence.slice(0, i + 1).join()),
      );
      expect(tree.ids).toHaveLength(new Set(beginnings).size);
    }
  });
});

/** Rows that each row sees, by the order of the spans alone. */
function rowsSeen(spans: readonly { start: number; rows: number; position: number }[]): number[][] {
  const cache: number[] = [];
  const seen: number[][] = [];
  for (const { start, rows, position } of spans) {
    for (let i = 0; i < rows; i++) cache[position + i] = start + i;
    for (let i = 0; i < rows; i++) seen[start + i] = cache.slice(0, position + i + 1);
  }
  return seen;
}

describe("compareTokens", () => {
  it("puts a prefix in front of what continues it, and orders by the first different token", () => {
    const sequences = [ids(2), ids(1, 3), ids(1), ids(1, 2, 9)];
    expect(sequences.sort(compareTokens).map((s) => [...s])).toEqual([[1], [1, 2, 9], [1, 3], [2]]);
    expect(commonLength(ids(1, 2, 3), ids(1, 2))).toBe(2);
  });
});
