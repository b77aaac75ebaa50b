import { expect } from "vitest";

/**
 * Exact results and, for each, the sum of magnitudes that its rounding errors are proportional to.
 */
export interface Exact {
  readonly values: Float64Array;
  readonly magnitudes: Float64Array;
}

/** How far a result may be from the exact one: `relative · magnitude + absolute`. */
export interface Tolerance {
  readonly relative: number;
  readonly absolute?: number;
}

/** Results whose errors are proportional to themselves. */
export function exactly(values: Float64Array): Exact {
  return { values, magnitudes: values.map(Math.abs) };
}

/** Expects every element within the tolerance; NaN and infinities must be the same. */
export function expectWithin(
  actual: ArrayLike<number>,
  exact: Exact,
  { relative, absolute = 1e-37 }: Tolerance,
): void {
  expect(actual.length).toBe(exact.values.length);
  for (let i = 0; i < actual.length; i++) {
    const want = exact.values[i];
    if (Object.is(actual[i], want) || actual[i] === want) continue;
    const room = relative * exact.magnitudes[i] + absolute;
    if (Math.abs(actual[i] - want) <= room) continue;
    expect.fail(`element ${i}: expected ${want} ± ${room}, got ${actual[i]}`);
  }
}

/** Expects every element to be the same number, bit for bit (all NaN count as one). */
export function expectSame(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i++) {
    if (!Object.is(actual[i], expected[i])) {
      expect.fail(`element ${i}: expected ${expected[i]}, got ${actual[i]}`);
    }
  }
}
