import { describe, expect, test } from "vitest";
import {
  bfloatBitsToFloat,
  countNonFiniteBits,
  floatToBfloatBits,
  floatToHalfBits,
  halfBitsToFloat,
  halvesToFloats,
} from "./half.ts";
import { Prng } from "./prng.ts";
import { roundHalfEven } from "./rounding.ts";

describe("float16", () => {
  test("every bit pattern survives the way to float32 and back", () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = halfBitsToFloat(bits);
      if (Number.isNaN(value))
        expect(Number.isNaN(halfBitsToFloat(floatToHalfBits(value)))).toBe(true);
      else if (floatToHalfBits(value) !== bits)
        throw new Error(`pattern ${bits} came back changed`);
    }
  });

  test("rounds to the nearest value, ties to the even pattern", () => {
    const finite = halvesToFloats(Uint16Array.from({ length: 0x7c00 }, (_, bits) => bits));
    const prng = new Prng(1);
    for (let trial = 0; trial < 20000; trial++) {
      const bits = prng.below(0x7bff);
      const low = finite[bits];
      const high = finite[bits + 1];
      expect(floatToHalfBits((low + high) / 2)).toBe(bits + (bits & 1));
      const value = Math.fround(low + (high - low) * prng.uniform());
      const nearest = value - low < high - value ? bits : bits + 1;
      if (value - low !== high - value) expect(floatToHalfBits(-value)).toBe(nearest | 0x8000);
    }
  });

  test("overflow goes to infinity, from 65520 on", () => {
    expect(floatToHalfBits(65519.99)).toBe(0x7bff);
    expect(floatToHalfBits(65520)).toBe(0x7c00);
    expect(floatToHalfBits(Number.NEGATIVE_INFINITY)).toBe(0xfc00);
  });
});

describe("bfloat16", () => {
  test("keeps the upper 16 bits, rounded half to even", () => {
    expect(floatToBfloatBits(1)).toBe(0x3f80);
    expect(floatToBfloatBits(1 + 2 ** -8)).toBe(0x3f80);
    expect(floatToBfloatBits(1 + 3 * 2 ** -8)).toBe(0x3f82);
    expect(bfloatBitsToFloat(0xc040)).toBe(-3);
    expect(Number.isNaN(bfloatBitsToFloat(floatToBfloatBits(Number.NaN)))).toBe(true);
  });
});

describe("rounding", () => {
  test("half-even differs from Math.round on ties only", () => {
    expect([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5].map(roundHalfEven)).toEqual([-2, -2, 0, 0, 2, 2]);
    for (const value of [-7.3, 0.49999999999999994, 2.51]) {
      expect(roundHalfEven(value)).toBe(Math.round(value));
    }
  });
});

describe("NaN and infinite values among 16-bit floats", () => {
  for (const [name, exponent, finite] of [
    ["float16", 0x7c00, 0xfbff],
    ["bfloat16", 0x7f80, 0xff7f],
  ] as const) {
    test(`${name}: each one is counted, wherever it stands`, () => {
      const whole = new Uint16Array(20).fill(finite);
      for (let start = 0; start < 3; start++) {
        for (let length = 0; length < 14; length++) {
          const values = whole.subarray(start, start + length);
          expect(countNonFiniteBits(values, exponent)).toBe(0);
          for (let at = 0; at < length; at++) {
            for (const bad of [exponent, exponent | 1, exponent | 0x8000]) {
              values[at] = bad;
              expect(countNonFiniteBits(values, exponent)).toBe(1);
            }
            values[at] = finite;
          }
        }
      }
    });
  }
});
