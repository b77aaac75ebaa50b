import { describe, expect, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import { createReferenceBackend } from "../../../src/kernels/reference/index.ts";
import { type BlockFormat } from "../../../src/quant/blocks/block-format.ts";
import { blockFormats } from "../../../src/quant/blocks/index.ts";
import { refitGroups, searchBlocks } from "../../../src/tensor/quantization-ops.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { halfBitsToFloat } from "../../../src/util/half.ts";
import { normalSample } from "./data.ts";

const [rows, columns] = [19, 512];

interface Refit {
  readonly scales: Float32Array;
  readonly offsets: Float32Array | null;
  readonly blockScales: Uint16Array;
  readonly blockOffsets: Uint16Array;
  readonly subScales: Int8Array;
  readonly subOffsets: Uint8Array;
}

/** The weight for which blocks were searched, and what it has become since. */
const before = Float32Array.from(normalSample([rows, columns], 21, "f32", 0.05).values);
const drift = normalSample([rows, columns], 22, "f32", 0.01).values;
const after = before.map((value, i) => (i % columns < 32 ? 0 : value + drift[i]));
const importance = Float32Array.from(
  normalSample([columns], 23).values,
  (value) => value ** 2 + 0.01,
);

/** Searches for blocks of one weight, and refits the groups of some columns to another. */
async function refit(
  backend: Backend,
  format: BlockFormat,
  { reach, important = true, start = 0, end = columns }: RefitCase,
): Promise<Refit> {
  const groups = [rows, columns / format.groupColumns];
  const chosen = {
    codes: Tensor.zeros(backend, "u8", [rows, columns]),
    scales: Tensor.zeros(backend, "f16", [rows, columns / format.columns]),
    offsets: Tensor.zeros(backend, "f16", [rows, columns / format.columns]),
    subScales: Tensor.zeros(backend, "i8", groups),
    subOffsets: Tensor.zeros(backend, "u8", groups),
  };
  const weight = Tensor.from(backend, "f32", [rows, columns], before.slice());
  searchBlocks(chosen, weight, { format, start: 0, end: columns, importance: null });
  const scales = Tensor.zeros(backend, "f32", groups);
  const offsets = format.offset === "none" ? null : Tensor.zeros(backend, "f32", groups);
  const now = Tensor.from(backend, "f32", [rows, columns], after.slice());
  const ofColumns = important ? Tensor.from(backend, "f32", [columns], importance.slice()) : null;
  refitGroups(scales, offsets, chosen, now, { format, start, end, importance: ofColumns, reach });
  return {
    scales: await scales.read(),
    offsets: offsets && (await offsets.read()),
    blockScales: await chosen.scales.read(),
    blockOffsets: await chosen.offsets.read(),
    subScales: await chosen.subScales.read(),
    subOffsets: await chosen.subOffsets.read(),
  };
}

interface RefitCase {
  readonly reach: number;
  readonly important?: boolean;
  readonly start?: number;
  readonly end?: number;
}

/** `Σ importance · (ŵ − w)²` of each group by nearest values. */
function errorsOf(format: BlockFormat, { scales, offsets }: Refit): number[] {
  return Array.from(scales, (scale, group) => {
    const offset = offsets ? offsets[group] : 0;
    let error = 0;
    for (let i = group * format.groupColumns; i < (group + 1) * format.groupColumns; i++) {
      const ratio = scale === 0 ? 0 : (after[i] - offset) / scale;
      const nearest = Math.round((ratio - format.origin) / format.step);
      const code = Math.min(Math.max(nearest, 0), format.levels - 1);
      const value = scale * (format.origin + format.step * code) + offset;
      error += importance[i % columns] * (value - after[i]) ** 2;
    }
    return error;
  });
}

/** Checks `refitGroups`. */
export function testRefitGroups(open: () => Backend): void {
  describe("refitGroups", () => {
    describe.each(blockFormats)("$id", (format) => {
      test.each([
        { reach: 0 },
        { reach: 3 },
        { reach: 2, important: false },
        { reach: 1, start: 256 },
      ])("has the reference's bits: %j", async (options) => {
        const expected = await refit(createReferenceBackend(), format, options);
        expect(await refit(open(), format, options)).toEqual(expected);
      });

      test("gives each group its scale and offset", async () => {
        const { scales, offsets, ...stored } = await refit(open(), format, { reach: 2 });
        const perBlock = format.columns / format.groupColumns;
        const sign = format.offset === "subtracted" ? -1 : 1;
        scales.forEach((scale, group) => {
          const block = Math.floor(group / perBlock);
          const by = format.subScaleRange ? stored.subScales[group] : 1;
          expect(scale).toBe(halfBitsToFloat(stored.blockScales[block]) * by);
          if (!offsets) return;
          const shift = format.subScaleRange ? stored.subOffsets[group] : 1;
          const unit = sign * halfBitsToFloat(stored.blockOffsets[block]);
          expect(offsets[group] - unit * shift).toBe(0);
        });
      });

      test("the farther it reaches, the less the errors; factors stay in their range", async () => {
        const made: Refit[] = [];
        for (const reach of [0, 1, 4]) made.push(await refit(open(), format, { reach }));
        const [none, one, four] = made.map((of) => errorsOf(format, of));
        const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
        none.forEach((error, i) => {
          expect(one[i]).toBeLessThanOrEqual(error * 1.0001);
          expect(four[i]).toBeLessThanOrEqual(one[i] * 1.0001);
        });
        if (!format.subScaleRange) return;
        expect(sum(four)).toBeLessThan(sum(none));
        const [low, high] = format.subScaleRange;
        const [, , { subScales, subOffsets }] = made;
        expect(Math.min(...subScales)).toBeGreaterThanOrEqual(low);
        expect(Math.max(...subScales)).toBeLessThanOrEqual(high);
        expect(Math.max(...subOffsets)).toBeLessThanOrEqual(format.largestSubOffset ?? 0);
      });

      test("leaves groups outside its columns as they are", async () => {
        const whole = await refit(open(), format, { reach: 0 });
        const half = await refit(open(), format, { reach: 4, start: 256 });
        const perRow = columns / format.groupColumns;
        half.subScales.forEach((by, group) => {
          if (group % perRow < perRow / 2) expect(by).toBe(whole.subScales[group]);
        });
        half.scales.forEach((scale, group) => {
          if (group % perRow < perRow / 2) expect(scale).toBe(0);
        });
      });
    });
  });
}
