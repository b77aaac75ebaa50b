import { describe, expect, test } from "vitest";
import { bitsName, colourClass, darkVariables, lightVariables } from "./palette.ts";

type Triple = readonly [number, number, number];

const bits = [16, 8, 4, 3, 2, 1.58, 1];

/**
 * Linear light of a colour as people see it who lack one kind of cones (Machado, Oliveira and
 * Fernandes 2009).
 */
const visions: Readonly<Record<string, readonly [Triple, Triple, Triple]>> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function linearLight(variables: string, name: string): Triple {
  const digits = new RegExp(`--${name}: #(\\w{6})`).exec(variables)?.[1] ?? "";
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) => {
    const share = Number.parseInt(digits.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return [red, green, blue];
}

function multiply(rows: readonly Triple[], [x, y, z]: Triple): Triple {
  const [a = 0, b = 0, c = 0] = rows.map((row) => row[0] * x + row[1] * y + row[2] * z);
  return [a, b, c];
}

/** CIELAB: distances in it are about as large as differences look. */
function toLab(light: Triple): Triple {
  const clipped = light.map((value) => Math.min(1, Math.max(0, value))) as unknown as Triple;
  const xyz: readonly Triple[] = [
    [0.4124 / 0.9505, 0.3576 / 0.9505, 0.1805 / 0.9505],
    [0.2126, 0.7152, 0.0722],
    [0.0193 / 1.089, 0.1192 / 1.089, 0.9505 / 1.089],
  ];
  const [x, y, z] = multiply(xyz, clipped).map((value) =>
    value > 0.008856 ? Math.cbrt(value) : 7.787 * value + 16 / 116,
  ) as unknown as Triple;
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const luminance = ([red, green, blue]: Triple): number =>
  0.2126 * red + 0.7152 * green + 0.0722 * blue;

describe.each([
  ["light", lightVariables],
  ["dark", darkVariables],
])("colours of bit-widths on a %s page", (_, variables) => {
  const lights = bits.map((bit) => linearLight(variables, colourClass(bit)));

  test.each(Object.entries(visions))("are told apart with %s", (_name, matrix) => {
    const seen = lights.map((light) => toLab(multiply(matrix, light)));
    for (const [i, one] of seen.entries()) {
      for (const other of seen.slice(i + 1)) {
        expect(Math.hypot(...one.map((value, k) => value - (other[k] ?? 0)))).toBeGreaterThan(13);
      }
    }
  });

  test("stand out from the paper by at least 3 to 1", () => {
    const paper = luminance(linearLight(variables, "paper"));
    for (const light of lights.map(luminance)) {
      const [low, high] = [Math.min(light, paper), Math.max(light, paper)];
      expect((high + 0.05) / (low + 0.05)).toBeGreaterThanOrEqual(3);
    }
  });
});

test("colours of a light page print in grey: the fewer the bits, the lighter", () => {
  const greys = bits.map((bit) => toLab(linearLight(lightVariables, colourClass(bit)))[0]);
  for (const [i, grey] of greys.slice(1).entries()) {
    expect(grey - (greys[i] ?? 0)).toBeGreaterThan(4);
  }
});

test("bit-widths have the names that people use", () => {
  expect([1, 1.58, 4, 16].map(bitsName)).toEqual(["1 bit", "1.58 bits", "4 bits", "original"]);
});
