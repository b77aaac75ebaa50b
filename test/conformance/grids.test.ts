import { describe, expect, test } from "vitest";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { decodeCode, type Grid } from "../../src/quant/grid.ts";
import { grids } from "../../src/quant/grids/index.ts";
import { packings } from "../../src/quant/packings/index.ts";
import { makeScheme, parseScheme } from "../../src/quant/scheme.ts";
import { QTensor } from "../../src/quant/q-tensor.ts";
import { fitColumns, quantizeColumns } from "../../src/tensor/quantization-ops.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { floatsToHalves } from "../../src/util/half.ts";
import { Prng } from "../../src/util/prng.ts";

const backend = createReferenceBackend();

/** Where values follow from codes and scales: not where methods choose them for each row. */
const scaled = grids.filter(({ codebook }) => !codebook);

describe.each(grids.map((grid) => ({ name: makeScheme(grid, null).id, grid })))(
  "grid $name",
  ({ grid }) => {
    test("its packing holds its levels, and no others (narrow leaves one code out)", () => {
      const { levels } = packings[grid.packing];
      expect(levels - grid.levels).toBe(grid.id === "narrow" ? 1 : 0);
      expect(Math.log2(levels)).toBeCloseTo(grid.bits, 2);
    });

    test("its scheme id parses back to it", () => {
      for (const groupSize of grid.inputScales || grid.codebook ? [null] : [null, 32, 128]) {
        const scheme = makeScheme(grid, groupSize);
        const parsed = parseScheme(scheme.id);
        expect(parsed.grid).toBe(grid);
        expect(parsed.groupSize).toBe(groupSize);
        expect(parsed.id).toBe(scheme.id);
      }
    });
  },
);

describe.each(scaled.map((grid) => ({ name: makeScheme(grid, null).id, grid })))(
  "grid $name",
  ({ grid }) => {
    test("encode(decode(c)) = c, and every value goes to a nearest level", () => {
      const scale = 0.375;
      const zero = { none: 0, integer: 1, float16: 1.25 }[grid.zeroPoint];
      const levels = Array.from(
        { length: grid.levels },
        (_, c) => scale * decodeCode(grid, c, zero),
      );
      const prng = new Prng(3);
      const values = [...levels, ...Array.from({ length: 200 }, () => prng.normal())];
      const { codes, decoded } = encode(grid, Float32Array.from(values), scale, zero);
      levels.forEach((_, c) => expect(codes[c]).toBe(c));
      values.forEach((value, i) => {
        const nearest = Math.min(...levels.map((level) => Math.abs(level - value)));
        expect(Math.abs(decoded[i] - value)).toBeCloseTo(nearest, 6);
      });
    });

    test("the rule's scale is a float16 and its codes survive packing: decoded = dequantized", async () => {
      const prng = new Prng(5);
      const weight = Float32Array.from({ length: 3 * 40 }, () => prng.normal() * 0.02);
      const scales = Tensor.zeros(backend, "f32", [3, 1]);
      const zeros = Tensor.zeros(backend, "f32", [3, 1]);
      const tensor = Tensor.from(backend, "f32", [3, 40], weight.slice());
      const codes = Tensor.empty(backend, "u8", [3, 40]);
      const rule = grid.scaleRule;
      fitColumns(scales, zeros, tensor, { start: 0, end: 40, group: 0, grid, rule, search: null });
      const groupOf = Tensor.from(backend, "i32", [40], new Int32Array(40));
      quantizeColumns(codes, tensor, {
        start: 0,
        end: 40,
        factor: null,
        scales,
        zeros,
        offsets: null,
        groupOf,
        grid,
      });
      const packed = QTensor.pack(makeScheme(grid, null), {
        outFeatures: 3,
        inFeatures: 40,
        codes: await codes.read(),
        scales: floatsToHalves(await scales.read()),
        ...storedZeros(grid, await zeros.read()),
        ...(grid.inputScales && { inputScales: new Uint16Array(40).fill(0x3c00) }),
      });
      expect([...packed.dequantize()]).toEqual([...(await tensor.read())]);
    });
  },
);

function storedZeros({ zeroPoint }: Grid, zeros: Float32Array) {
  if (zeroPoint === "none") return {};
  return { zeros: zeroPoint === "integer" ? Uint8Array.from(zeros) : floatsToHalves(zeros) };
}

/** Encodes one row of values with a given scale and zero point, through the op. */
function encode(
  grid: Grid,
  values: Float32Array,
  scale: number,
  zero: number,
): { codes: Uint8Array; decoded: Float32Array } {
  const columns = values.length;
  const weight = Tensor.from(backend, "f32", [1, columns], values.slice());
  const codes = Tensor.from(backend, "u8", [1, columns], new Uint8Array(columns));
  quantizeColumns(codes, weight, {
    start: 0,
    end: columns,
    factor: null,
    scales: Tensor.from(backend, "f32", [1, 1], Float32Array.of(scale)),
    zeros: Tensor.from(backend, "f32", [1, 1], Float32Array.of(zero)),
    offsets: null,
    groupOf: Tensor.from(backend, "i32", [columns], new Int32Array(columns)),
    grid,
  });
  return { codes: codes.storage as Uint8Array, decoded: weight.storage as Float32Array };
}
