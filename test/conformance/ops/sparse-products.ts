import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import { addSparseProducts } from "../../../src/tensor/products.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { ShapeError } from "../../../src/util/errors.ts";
import { normalSample, upload } from "./data.ts";

const sparseCases = [
  { tokens: 1, rows: 1, columns: 1, every: 1 },
  { tokens: 1, rows: 300, columns: 70, every: 97 },
  { tokens: 19, rows: 13, columns: 40, every: 7 },
  { tokens: 8, rows: 4, columns: 16, every: 1000 },
] as const;

/** Checks `addSparseProducts`. */
export function testSparseProducts(open: () => Backend): void {
  describe("addSparseProducts", () => {
    test.each(sparseCases)("adds the products of the weights that are there: %o", async (entry) => {
      const { tokens, rows, columns, every } = entry;
      const x = normalSample([tokens, columns], 3, "f32");
      const before = normalSample([tokens, rows], 5, "f32");
      const weights = normalSample([rows, columns], 8, "f32").values;
      const places = [...weights.keys()].filter((place) => place % every === every - 1);
      const expected = Float64Array.from(before.values);
      for (const place of places) {
        const [row, column] = [Math.floor(place / columns), place % columns];
        for (let token = 0; token < tokens; token++) {
          expected[token * rows + row] += weights[place] * x.values[token * columns + column];
        }
      }
      const starts = Int32Array.from({ length: rows + 1 }, (_, row) => {
        return places.filter((place) => place < row * columns).length;
      });
      const backend = open();
      const out = upload(backend, before) as Tensor<"f32">;
      const count = [places.length];
      addSparseProducts(out, upload(backend, x), {
        starts: Tensor.from(backend, "i32", [rows + 1], starts),
        columns: Tensor.from(
          backend,
          "i32",
          count,
          Int32Array.from(places, (at) => at % columns),
        ),
        values: Tensor.from(
          backend,
          "f32",
          count,
          Float32Array.from(places, (at) => weights[at]),
        ),
      });
      for (const [i, value] of (await out.read()).entries()) {
        expect(Math.abs(value - expected[i])).toBeLessThan(1e-4);
      }
    });

    test("products of another shape are a ShapeError", () => {
      const backend = open();
      const sparse = {
        starts: Tensor.from(backend, "i32", [3], Int32Array.of(0, 1, 1)),
        columns: Tensor.from(backend, "i32", [1], Int32Array.of(2)),
        values: Tensor.from(backend, "f32", [1], Float32Array.of(1)),
      };
      const x = Tensor.zeros(backend, "f32", [2, 4]);
      const out = Tensor.zeros(backend, "f32", [2, 3]);
      expect(() => addSparseProducts(out, x, sparse)).toThrow(ShapeError);
    });
  });
}
