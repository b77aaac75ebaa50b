import { describe, expect, test } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { UnsupportedError } from "../util/errors.ts";
import { attentionScale, inverseFrequencies, RopeTables, type YarnRopeScaling } from "./rope.ts";

describe("rotary frequencies", () => {
  test("the first pair turns by one radian a token, the last by nearly 1/theta", () => {
    const f = inverseFrequencies({ theta: 10_000, headDim: 128 });
    expect(f[0]).toBe(1);
    expect(f[63]).toBeCloseTo(10_000 ** (-126 / 128), 9);
  });

  test("linear scaling divides every frequency by the factor", () => {
    const plain = inverseFrequencies({ theta: 10_000, headDim: 16 });
    const scaled = inverseFrequencies({
      theta: 10_000,
      headDim: 16,
      scaling: { kind: "linear", factor: 4 },
    });
    expect([...scaled]).toEqual([...plain].map((f) => f / 4));
  });

  test("llama3 keeps short wavelengths, divides long ones, and never leaves the two between", () => {
    const base = { theta: 500_000, headDim: 128 };
    const scaling = {
      kind: "llama3" as const,
      factor: 8,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalContext: 8192,
    };
    const plain = inverseFrequencies(base);
    const scaled = inverseFrequencies({ ...base, scaling });
    for (let i = 0; i < plain.length; i++) {
      const wavelength = (2 * Math.PI) / plain[i];
      if (wavelength < 2048) expect(scaled[i]).toBe(plain[i]);
      else if (wavelength > 8192) expect(scaled[i]).toBe(plain[i] / 8);
      else {
        expect(scaled[i]).toBeLessThanOrEqual(plain[i]);
        expect(scaled[i]).toBeGreaterThanOrEqual(plain[i] / 8);
      }
    }
  });
});

describe("yarn", () => {
  const scaling: YarnRopeScaling = {
    kind: "yarn",
    factor: 8,
    originalContext: 4096,
    fastRotations: 32,
    slowRotations: 1,
    wholeChannels: true,
    attentionFactor: null,
    magnitudes: { some: 0, all: 0 },
  };
  const base = { theta: 10_000, headDim: 64 };

  test("keeps what turns often, divides what turns seldom, and blends between", () => {
    const plain = inverseFrequencies(base);
    const scaled = inverseFrequencies({ ...base, scaling });
    for (const [i, frequency] of plain.entries()) {
      const rotations = (4096 * frequency) / (2 * Math.PI);
      if (rotations > 64) expect(scaled[i]).toBe(frequency);
      else if (rotations < 0.5) expect(scaled[i]).toBeCloseTo(frequency / 8, 12);
      else expect(scaled[i] / frequency).toBeGreaterThanOrEqual(1 / 8);
    }
  });

  test("scales cosines and sines by what it states, else by its factor", async () => {
    const scaleOf = (change: Partial<YarnRopeScaling>) =>
      attentionScale({ ...base, scaling: { ...scaling, ...change } });
    expect(scaleOf({})).toBeCloseTo(0.1 * Math.log(8) + 1, 12);
    expect(scaleOf({ factor: 0.5 })).toBe(1);
    expect(scaleOf({ attentionFactor: 1.5 })).toBe(1.5);
    expect(scaleOf({ magnitudes: { some: 1, all: 1 } })).toBe(1);
    const { cos } = new RopeTables(createReferenceBackend(), { ...base, scaling }).upTo(1);
    expect((await cos.read())[0]).toBeCloseTo(scaleOf({}), 6);
  });
});

test("dynamic scaling leaves positions alone, and ends at the context", () => {
  const base = { theta: 100, headDim: 4 };
  const scaling = { kind: "dynamic" as const, context: 32 };
  expect(inverseFrequencies({ ...base, scaling })).toEqual(inverseFrequencies(base));
  const tables = new RopeTables(createReferenceBackend(), { ...base, scaling });
  expect(tables.upTo(32).cos.shape[1]).toBe(2);
  expect(() => tables.upTo(33)).toThrow(UnsupportedError);
});

test("tables grow on demand and keep the rows they had", async () => {
  const tables = new RopeTables(createReferenceBackend(), { theta: 100, headDim: 4 });
  const small = tables.upTo(10);
  const before = await small.cos.read();
  expect(tables.upTo(64).cos).toBe(small.cos);
  const large = tables.upTo(65);
  expect(large.cos.shape[0]).toBeGreaterThanOrEqual(65);
  const after = await large.cos.read();
  expect(after.slice(0, before.length)).toEqual(before);
  expect(after[2 * 64]).toBeCloseTo(Math.cos(64), 6);
});
