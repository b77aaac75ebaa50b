import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  expOne,
  functionBits,
  gateBits,
  geluFactor,
  integerExp,
  integerSqrt,
  siluFactor,
} from "./integer-functions.ts";

type Pairs = readonly (readonly [input: number, output: number])[];
const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/integer-only.json", import.meta.url), "utf8"),
) as Readonly<Record<"exp" | "silu" | "gelu" | "sqrt", Pairs>>;

/** Inputs from −limit to limit in Q14. */
function* grid(limit: number): Generator<number> {
  for (let q = -limit * 2 ** functionBits; q <= limit * 2 ** functionBits; q += 37) yield q;
}

/** The largest error of a function of Q14 numbers over a grid. */
function largestError(limit: number, error: (x: number, q: number) => number): number {
  let largest = 0;
  for (const q of grid(limit)) largest = Math.max(largest, error(q * 2 ** -functionBits, q));
  return largest;
}

describe("integers for functions", () => {
  const functions = { exp: integerExp, silu: siluFactor, gelu: geluFactor, sqrt: integerSqrt };
  test.each(["exp", "silu", "gelu", "sqrt"] as const)("%s is I-BERT's arithmetic", (name) => {
    for (const [q, expected] of golden[name])
      expect([q, functions[name](q)]).toEqual([q, expected]);
  });

  test("the exponential is within 2.0e-3, and within 4.2e-3 of its value down to e^-13", () => {
    const of = (q: number) => (integerExp(q) * 0.3585) / 2 ** (2 * functionBits);
    const error = largestError(13, (x, q) => (x > 0 ? 0 : Math.abs(of(q) / Math.exp(x) - 1)));
    expect(error).toBeLessThan(4.2e-3);
    const distance = largestError(13, (x, q) =>
      x > 0 ? 0 : Math.abs(integerExp(q) / expOne - Math.exp(x)),
    );
    expect(distance).toBeLessThan(2e-3);
  });

  test("the factor of SiLU is within 8e-4 of the sigmoid", () => {
    const error = largestError(20, (x, q) =>
      Math.abs(siluFactor(q) / 2 ** gateBits - 1 / (1 + Math.exp(-x))),
    );
    expect(error).toBeLessThan(8e-4);
  });

  test("GELU is within 0.0182 of its value", () => {
    const error = largestError(6, (x, q) => {
      const exact = x * Math.SQRT2 * 0.5 * (1 + erf(x));
      return Math.abs((x * Math.SQRT2 * geluFactor(q)) / 2 ** gateBits - exact);
    });
    expect(error).toBeLessThan(0.0182);
  });

  test("the root is the largest whose square is no larger", () => {
    for (let n = 0; n < 3000; n++) expect(integerSqrt(n)).toBe(Math.floor(Math.sqrt(n)));
  });
});

/** By its series, to 1e-12 within ±6. */
function erf(x: number): number {
  if (Math.abs(x) > 5) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
