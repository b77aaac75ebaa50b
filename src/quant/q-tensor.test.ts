import { describe, expect, test } from "vitest";
import { SchemeError, ShapeError } from "../util/errors.ts";
import { floatsToHalves, halvesToFloats } from "../util/half.ts";
import { Prng } from "../util/prng.ts";
import { QTensor } from "./q-tensor.ts";
import { expectPlanar, groupsPerRow, parseScheme } from "./scheme.ts";

function randomQTensor(id: string, outFeatures: number, inFeatures: number, seed: number) {
  const scheme = expectPlanar(parseScheme(id));
  const prng = new Prng(seed);
  const groups = outFeatures * groupsPerRow(scheme, inFeatures);
  const { levels, zeroPoint } = scheme.grid;
  const codes = Uint8Array.from({ length: outFeatures * inFeatures }, () => prng.below(levels));
  const scales = floatsToHalves(Array.from({ length: groups }, () => 0.01 + prng.uniform()));
  const integers = Uint8Array.from({ length: groups }, () => prng.below(levels));
  const halves = floatsToHalves(Array.from({ length: groups }, () => levels * prng.uniform()));
  const zeros = {
    none: { stored: {}, values: null },
    integer: { stored: { zeros: integers }, values: integers },
    float16: { stored: { zeros: halves }, values: halvesToFloats(halves) },
  }[zeroPoint];
  const chosen = { outFeatures, inFeatures, codes, scales, ...zeros.stored };
  return { chosen, packed: QTensor.pack(scheme, chosen), zeros: zeros.values };
}

describe("QTensor", () => {
  test.each(["w1", "w1.58g32", "w2g64", "w3g32", "w3-sym", "w4g128", "w8", "w3g32-floatzero"])(
    "%s: codes and zero points survive packing, at a width no group divides",
    (id) => {
      const { chosen, packed, zeros } = randomQTensor(id, 5, 172, 1);
      expect([...packed.unpackCodes()]).toEqual([...chosen.codes]);
      expect(packed.unpackZeros()).toEqual(zeros);
    },
  );

  test("OneBit's layer of 4096 × 4096 takes the paper's bits, counted with and without its vectors", () => {
    const { codes, scales, inputScales } = QTensor.sizes(parseScheme("w1-onebit"), 4096, 4096);
    const bits = 8 * (codes + scales + inputScales);
    expect(bits).toBe(16_908_288);
    const parameters = 4096 * 4096 + 2 * 4096;
    expect(parameters).toBe(16_785_408);
    expect((bits / parameters).toFixed(4)).toBe("1.0073");
    expect((bits / 4096 ** 2).toFixed(4)).toBe("1.0078");
  });

  test("scales of the inputs multiply columns, and count among the bits", () => {
    const chosen = {
      outFeatures: 2,
      inFeatures: 3,
      codes: Uint8Array.of(1, 0, 1, 0, 0, 1),
      scales: floatsToHalves([1, 0.5]),
      inputScales: floatsToHalves([1, 2, 0.5]),
    };
    const packed = QTensor.pack(parseScheme("w1-svid"), chosen);
    expect([...packed.dequantize()]).toEqual([1, -2, 0.5, -0.5, -1, 0.25]);
    expect(packed.sizeBytes).toBe(2 * 4 + 2 * 2 + 3 * 2);
    const { inputScales: _, ...without } = chosen;
    expect(() => QTensor.pack(parseScheme("w1-svid"), without)).toThrow(ShapeError);
    expect(() => QTensor.pack(parseScheme("w1"), chosen)).toThrow(ShapeError);
  });

  test("the values of a codebook count among the bits, and stand for themselves", () => {
    const chosen = {
      outFeatures: 2,
      inFeatures: 3,
      codes: Uint8Array.of(3, 0, 1, 2, 2, 0),
      scales: new Uint16Array(),
      codebook: floatsToHalves([-1, 0.5, 2, 4, 8, 6, 5, -3]),
    };
    const scheme = parseScheme("w2-codebook");
    const packed = QTensor.pack(scheme, chosen);
    expect([...packed.dequantize()]).toEqual([4, -1, 0.5, 5, 5, 8]);
    expect(packed.sizeBytes).toBe(2 * 4 + 2 * 4 * 2);
    const { codebook: _, ...without } = chosen;
    expect(() => QTensor.pack(scheme, without)).toThrow(ShapeError);
    expect(() => QTensor.pack(scheme, { ...chosen, scales: floatsToHalves([1, 1]) })).toThrow(
      ShapeError,
    );
    const { all } = QTensor.sizes(parseScheme("w3-codebook"), 64, 4096);
    expect((8 * all) / (64 * 4096)).toBe(3 + (8 * 16) / 4096);
  });

  test("bits per weight counts codes, scales, zero points and padding", () => {
    const { packed } = randomQTensor("w2g64", 16, 128, 2);
    // 32 bytes of codes, 2 groups × 2 bytes of scales a row; 32 zero points in 8 bytes.
    expect(packed.sizeBytes).toBe(16 * (32 + 4) + 8);
    expect(packed.bitsPerWeight).toBe((packed.sizeBytes * 8) / (16 * 128));
    expect(packed.bitsPerWeight).toBeCloseTo(2 + 16 / 64 + 2 / 64, 10);
  });

  test.each([
    ["w1", 1 + 16 / 4096],
    ["w1.58", 1.6 + 16 / 4096],
    ["w2g128", 2 + 18 / 128],
    ["w3g128-sym", 3 + 16 / 128],
    ["w4g32", 4 + 20 / 32],
    ["w8", 8 + 24 / 4096],
  ])("%s of 64 × 4096 takes %d bits per weight", (id, expected) => {
    const { packed } = randomQTensor(id, 64, 4096, 3);
    expect(packed.bitsPerWeight).toBeCloseTo(expected, 2);
  });

  test("dequantize is scale · (code − zero point), group by group", () => {
    const { chosen, packed, zeros } = randomQTensor("w3g32", 3, 80, 4);
    const scales = halvesToFloats(packed.parts.scales);
    const decoded = packed.dequantize();
    for (let row = 0; row < 3; row++) {
      for (let column = 0; column < 80; column++) {
        const group = row * 3 + Math.floor(column / 32);
        const expected = scales[group] * (chosen.codes[row * 80 + column] - (zeros?.[group] ?? 0));
        expect(decoded[row * 80 + column]).toBe(Math.fround(expected));
      }
    }
  });

  test("codes outside the grid and arrays of the wrong size are refused", () => {
    const scheme = parseScheme("w1.58");
    const scales = new Uint16Array(1);
    const codes = Uint8Array.of(0, 1, 3, 0);
    const chosen = { outFeatures: 1, inFeatures: 4, codes, scales };
    expect(() => QTensor.pack(scheme, chosen)).toThrow(SchemeError);
    const parts = { codes: new Uint8Array(3), scales, zeros: null, activations: null };
    expect(() => new QTensor(scheme, 1, 4, parts)).toThrow(ShapeError);
  });
});
