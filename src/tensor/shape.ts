import { ShapeError } from "../util/errors.ts";

/** Dimensions from outermost to innermost; tensors are dense and row-major. */
export type Shape = readonly number[];

/** Returns the number of elements of a shape. */
export function elementCount(shape: Shape): number {
  let count = 1;
  for (const dimension of shape) count *= dimension;
  return count;
}

/** Writes a shape for people: `[4, 8]`. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Splits a shape into rows of its last dimension: `[2, 3, 8]` is 6 rows of 8. */
export function asMatrix(shape: Shape): { rows: number; columns: number } {
  const columns = shape.at(-1) ?? 1;
  return { rows: columns === 0 ? 0 : elementCount(shape) / columns, columns };
}

/** @throws ShapeError when `actual` is not `expected`. */
export function expectShape(what: string, actual: Shape, expected: Shape): void {
  if (actual.length === expected.length && actual.every((n, i) => n === expected[i])) return;
  throw new ShapeError(
    `${what}: expected shape ${formatShape(expected)}, got ${formatShape(actual)}`,
  );
}
