import { describe, expect, test } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { addUpRows, joinRows, routeTokens, takeElements, weighRows } from "./route-ops.ts";
import { Tape } from "./tape.ts";
import { Tensor } from "./tensor.ts";

const backend = createReferenceBackend();

const tensor = (shape: readonly number[], values: readonly number[]): Tensor<"f32"> =>
  Tensor.from(backend, "f32", shape, Float32Array.from(values));
const list = (found: Tensor | null | undefined): number[] =>
  found ? [...(found.readNow() as Float32Array)] : [];

describe("tokens", () => {
  test("go to the experts of their highest scores, the first of equal ones", () => {
    const scores = tensor([3, 4], [1, 3, 2, 0, 5, 5, 5, 4, -1, -3, -2, -1]);
    const routes = routeTokens(scores, 2);
    const byExpert = routes.experts.map(({ index, rows }) => [index, list(rows)]);
    expect(byExpert).toEqual([
      [0, [1, 2]],
      [1, [0, 1]],
      [2, [0]],
      [3, [2]],
    ]);
    expect(list(routes.rows)).toEqual([1, 2, 0, 1, 0, 2]);
    expect(list(takeElements(scores, routes.places))).toEqual([5, -1, 3, 5, 2, -1]);
    expect(list(routes.others).map((x) => x < 0)).toEqual(
      [1, 0, 0, 1, 0, 0, 1, 1, 0, 1, 1, 0].map(Boolean),
    );
  });

  test("get as many experts where scores are no numbers", () => {
    const routes = routeTokens(tensor([1, 3], [Number.NaN, 2, Number.NaN]), 2);
    expect(routes.rows.size).toBe(2);
  });
});

test("rows that are weighed and added up come back as gradients", () => {
  const parts = [tensor([1, 2], [1, 2]), tensor([2, 2], [3, 4, 5, 6])] as const;
  const weights = tensor([3], [2, 3, 0.5]);
  const rows = Tensor.from(backend, "i32", [3], Int32Array.of(1, 0, 1));
  const tape = new Tape();
  tape.watch(...parts, weights);
  const out = tape.run(() => addUpRows(weighRows(joinRows(parts), weights), rows, 3));
  expect(list(out)).toEqual([9, 12, 4.5, 7, 0, 0]);
  tape.backward([[out, tensor([3, 2], [1, 2, 3, 4, 5, 6])]]);
  expect(list(tape.takeGradient(parts[0]))).toEqual([6, 8]);
  expect(list(tape.takeGradient(parts[1]))).toEqual([3, 6, 1.5, 2]);
  expect(list(tape.takeGradient(weights))).toEqual([3 + 8, 3 + 8, 15 + 24]);
  tape.release();
});
