import { describe, expect, test } from "vitest";
import { goldenMatrix } from "../../test/golden/golden-matrix.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { chooseBlocks } from "../methods/shared/block-search.ts";
import { Tape } from "../tensor/tape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { NumericError } from "../util/errors.ts";
import { halvesToFloats } from "../util/half.ts";
import { blockFormats } from "./blocks/index.ts";
import { groupScales } from "./blocks/group-scales.ts";
import { FakeQuantizedBlocks } from "./fake-quantized-blocks.ts";
import { type BlockScheme, expectBlocks, parseScheme } from "./scheme.ts";

const [rows, columns] = [3, 512];
const backend = createReferenceBackend();
const values = goldenMatrix(rows, columns, 3, 0.05);
const upstream = goldenMatrix(rows, columns, 4);

async function start(scheme: BlockScheme) {
  const weight = Tensor.from(backend, "f32", [rows, columns], values.slice());
  const chosen = await chooseBlocks(weight, scheme, null);
  return { chosen, latent: FakeQuantizedBlocks.of(weight, scheme, chosen.unpackBlockScales()) };
}

/** The same values, zeros without a sign. */
const unsigned = (of: ArrayLike<number>): number[] => Array.from(of, (value) => value + 0);

const trained = blockFormats.filter(({ step, levels }) => step === 1 && levels > 3);

describe.each(trained)("$id", (format) => {
  const scheme = expectBlocks(parseScheme(format.id));

  test("begins with the scales and offsets that were chosen, and packs the values it is seen as", async () => {
    const { chosen, latent } = await start(scheme);
    const packed = await latent.freeze();
    const { scales, offsets } = groupScales(format, packed.unpackBlockScales());
    const expected = groupScales(format, chosen.unpackBlockScales());
    expect(unsigned(scales)).toEqual(unsigned(expected.scales));
    expect(unsigned(offsets ?? [])).toEqual(unsigned(expected.offsets ?? []));
    expect(unsigned(packed.dequantize())).toEqual(unsigned(await latent.weights().read()));
  });

  test("packs what it is seen as after its parameters have moved, too", async () => {
    const { latent } = await start(scheme);
    for (const { role, value } of latent.parameters) {
      const moved = await value.read();
      const by = role === "weight" ? 0.02 : 0.1 * Math.max(...moved.map(Math.abs));
      const noise = goldenMatrix(1, moved.length, role.length, by);
      (value.storage as Float32Array).set(moved.map((x, i) => x + noise[i]));
    }
    const packed = await latent.freeze();
    expect(unsigned(packed.dequantize())).toEqual(unsigned(await latent.weights().read()));
  });

  test("gradients are those of rounding straight through, by weights and all scales", async () => {
    const { latent } = await start(scheme);
    for (const { role, value } of latent.learned) {
      const moved = (await value.read()).map((x, i) => x * (1 + 0.01 * ((i % 5) - 2)));
      (value.storage as Float32Array).set(moved);
      expect(role).not.toBe("weight");
    }
    const tape = new Tape();
    tape.watch(...latent.parameters.map(({ value }) => value));
    const out = tape.run(() => latent.weights());
    tape.backward([[out, Tensor.from(backend, "f32", [rows, columns], upstream.slice())]]);
    const expected = await straightThrough(scheme, latent);
    for (const { role, value } of latent.parameters) {
      const found = await tape.takeGradient(value)?.read();
      const wanted = expected[role];
      expect(found?.length, role).toBe(wanted.length);
      wanted.forEach((gradient, i) => {
        expect(found?.[i], `${role} ${i}`).toBeCloseTo(gradient, 3);
      });
    }
    tape.release();
  });

  test("a NaN is an error when it is packed", async () => {
    const { latent } = await start(scheme);
    (latent.weight.storage as Float32Array)[5] = Number.NaN;
    await expect(latent.freeze()).rejects.toThrow(NumericError);
  });
});

/** The gradients by the formulas, in float64; of blocks times 1/(largest factor). */
async function straightThrough(
  { blocks: format }: BlockScheme,
  latent: FakeQuantizedBlocks,
): Promise<Record<string, number[]>> {
  const { groupColumns, origin, levels, subScaleRange, largestSubOffset } = format;
  const perBlock = format.columns / groupColumns;
  const packed = await latent.freeze();
  const stored = packed.unpackBlockScales();
  const { scales, offsets } = groupScales(format, stored);
  const sign = format.offset === "subtracted" ? -1 : 1;
  const w = await latent.weight.read();
  const weight: number[] = [];
  const byScale = new Array<number>(scales.length).fill(0);
  const byOffset = new Array<number>(scales.length).fill(0);
  for (let i = 0; i < w.length; i++) {
    const group = Math.floor(i / groupColumns);
    const offset = offsets ? sign * offsets[group] : 0;
    const ratio = scales[group] === 0 ? 0 : Math.fround(Math.fround(w[i] - offset) / scales[group]);
    const [low, high] = [origin, origin + levels - 1];
    const inside = ratio >= low && ratio <= high;
    const level = Math.min(Math.max(rne(ratio), low), high);
    weight.push(inside ? upstream[i] : 0);
    byScale[group] += upstream[i] * (inside ? level - ratio : level);
    byOffset[group] += inside ? 0 : sign * upstream[i];
  }
  const ofBlocks = (
    gradients: number[],
    latentGroups: Float32Array | undefined,
    halves: Uint16Array,
    [low, high]: readonly [number, number],
  ): { groups: number[]; blocks: number[] } => {
    const units = halvesToFloats(halves);
    const blocks = new Array<number>(units.length).fill(0);
    const groups = gradients.map((gradient, group) => {
      const block = Math.floor(group / perBlock);
      const ratio = latentGroups ? Math.fround(latentGroups[group] / units[block]) : 1;
      const inside = ratio >= low && ratio <= high;
      const level = Math.min(Math.max(rne(ratio), low), high);
      const slope = inside ? level - ratio : level;
      blocks[block] += (gradient * (latentGroups ? slope : 1)) / (latentGroups ? high : 1);
      return inside ? gradient : 0;
    });
    return { groups, blocks };
  };
  const valuesOf = async (role: string): Promise<Float32Array | undefined> =>
    subScaleRange === null
      ? undefined
      : latent.learned.find((parameter) => parameter.role === role)?.value.read();
  const range = subScaleRange ?? ([0, 1] as const);
  const ofScales = ofBlocks(byScale, await valuesOf("scales"), stored.scales, range);
  const noOffsets = { groups: [], blocks: [] };
  const ofOffsets = stored.offsets
    ? ofBlocks(byOffset, await valuesOf("offsets"), stored.offsets, [0, largestSubOffset ?? 1])
    : noOffsets;
  return subScaleRange
    ? {
        weight,
        scales: ofScales.groups,
        offsets: ofOffsets.groups,
        "block scales": ofScales.blocks,
        "block offsets": ofOffsets.blocks,
      }
    : { weight, scales: ofScales.blocks, offsets: ofOffsets.blocks };
}

function rne(value: number): number {
  const whole = Math.round(value);
  return Math.abs(value % 1) === 0.5 && whole % 2 !== 0 ? whole - 1 : whole;
}
