import { bitLength, toFixedPoint } from "./fixed-point.ts";

/*
 * Functions of integers by integers alone: polynomials of the second degree and Newton's steps (Kim
 * et al., I-BERT, arXiv 2101.01321, algorithms 1 to 4), constants rounded down as there. Values are
 * Q14: `x = q · 2^−14`. All intermediate values are integers below 2^53, which a double and an int64
 * hold alike.
 */

/** Fractional bits of the inputs of `integerExp` and `integerGate`. */
export const functionBits = 14;
/** Fractional bits of what `siluFactor` and `geluFactor` return. */
export const gateBits = 20;

/** One over the largest weight of a value times the largest code of one: 255 and 127. */
export const codeProduct = toFixedPoint(1 / (255 * 127));

/** ln 2 in Q14. */
const ln2 = 11356;
/** `exp(p) ≈ 0.3585·((p + 1.353)² + 0.344/0.3585)` for p in (−ln 2, 0]: 1.353 in Q14. */
const expOffset = 22167;
/** 0.344/0.3585 in Q28. */
const expConstant = 257578233;
const mostHalvings = 30;

/** What `integerExp` gives of 0. */
export const expOne = expOffset ** 2 + expConstant;

/**
 * `e^x` of `x = q·2^−14 ≤ 0`, as an integer whose unit is `0.3585·2^−28`: from 0 to `expOne` (which
 * is 2^29.5; the polynomial makes it stand for 1.0003). `x = p − z·ln 2`, a polynomial of p, a shift
 * by z; 0 below −30·ln 2. Error: at most 2.0e-3, and 4.2e-3 of `e^x` down to `e^−13`.
 */
export function integerExp(q: number): number {
  const halvings = Math.floor(-q / ln2);
  if (halvings >= mostHalvings) return 0;
  const sum = q + halvings * ln2 + expOffset;
  return Math.floor((sum * sum + expConstant) / 2 ** halvings);
}

/**
 * `σ(x)` of `x = q·2^−14`, in Q20: what a gate is multiplied by in SiLU. `e^−|x|/(1 + e^−|x|)` or one
 * less that, by `integerExp` (I-LLM, arXiv 2405.17849, algorithm 2, builds it on the exponential,
 * too). Error: 8e-4 at most.
 */
export function siluFactor(q: number): number {
  const tail = integerExp(-Math.abs(q));
  const whole = expOne + tail;
  const part = q < 0 ? tail : expOne;
  return Math.floor((part * 2 ** (gateBits + 1) + whole) / (2 * whole));
}

/** `erf(x) ≈ sign(x)·(1 − 0.2888·(min(|x|, 1.769) − 1.769)²)`: 1.769 in Q14. */
const erfEnd = 28983;
const erfOffset = 28984;
/** 1/0.2888 in Q28. */
const erfConstant = 929485651;

/**
 * `½(1 + erf(x))` of `x = q·2^−14`, in Q20: what a gate √2·x is multiplied by in GELU. I-BERT's
 * polynomial, whose sign function makes it jump at 0; error 0.05 there, of `x·½(1 + erf(x/√2))`
 * 0.0182 at most (the paper has 0.018).
 */
export function geluFactor(q: number): number {
  const left = erfOffset - Math.min(Math.abs(q), erfEnd);
  const erf = q === 0 ? 0 : erfConstant - left * left;
  const sum = q < 0 ? erfConstant - erf : erfConstant + erf;
  return Math.floor((sum * 2 ** gateBits + erfConstant) / (2 * erfConstant));
}

/** `⌊√n⌋` of an integer from 0 to 2^50, by Newton's steps from above. */
export function integerSqrt(n: number): number {
  if (n === 0) return 0;
  let root = 2 ** Math.ceil(bitLength(n) / 2);
  for (;;) {
    const next = Math.floor((root + Math.floor(n / root)) / 2);
    if (next >= root) return root;
    root = next;
  }
}

/** `x·127/largest`, halves away from zero, of `|x| ≤ largest < 2^32`; 0 where that is 0. */
export function signedCode(x: number, largest: number): number {
  if (largest === 0) return 0;
  const code = Math.floor((254 * Math.abs(x) + largest) / (2 * largest));
  return x < 0 ? 0 - code : code;
}
