import { describe, expect, test } from "vitest";
import { ShapeError } from "../util/errors.ts";
import { floatsToHalves } from "../util/half.ts";
import {
  addSparseRows,
  expectSparseRows,
  packSparseRows,
  rowStarts,
  sparseBytes,
  sparseNumberType,
} from "./sparse-rows.ts";

describe("sparse weights", () => {
  const places = Uint32Array.of(1, 4, 9, 11);
  const values = floatsToHalves([0.5, -1, 2, 0.25]);
  const sparse = packSparseRows([3, 4], places, values);

  test("stand in their rows, and are added at their places", () => {
    expect([...sparse.counts]).toEqual([1, 1, 2]);
    expect([...sparse.columns]).toEqual([1, 0, 1, 3]);
    expect([...rowStarts(sparse)]).toEqual([0, 1, 2, 4]);
    const matrix = new Float32Array(12).fill(1);
    addSparseRows(matrix, 4, sparse);
    expect([...matrix]).toEqual([1, 1.5, 1, 1, 0, 1, 1, 1, 1, 3, 1, 1.25]);
    expect(() => expectSparseRows(sparse, 4)).not.toThrow();
  });

  test("take numbers of 16 bits where these reach", () => {
    expect(sparseNumberType(65535)).toBe("u16");
    expect(sparseNumberType(65536)).toBe("u32");
    expect(sparseBytes(4, 3, 4)).toBe(3 * 2 + 4 * 4);
    expect(sparseBytes(4, 3, 65536)).toBe(3 * 4 + 4 * 6);
    expect(sparseBytes(0, 3, 4)).toBe(0);
    const wide = packSparseRows([2, 70000], Uint32Array.of(69999, 139999), values.slice(0, 2));
    expect([...wide.columns]).toEqual([69999, 69999]);
  });

  test.each([
    ["counts of others", { ...sparse, counts: Uint16Array.of(1, 1, 1) }],
    ["a column outside", { ...sparse, columns: Uint16Array.of(4, 0, 1, 3) }],
    ["a column twice", { ...sparse, columns: Uint16Array.of(1, 0, 3, 3) }],
  ])("with %s are a ShapeError", (_, damaged) => {
    expect(() => expectSparseRows(damaged, 4)).toThrow(ShapeError);
  });
});
