import { describe, test } from "vitest";
import type { Backend } from "../../../src/backend/backend.ts";
import type { PackedOperand } from "../../../src/backend/packed-operand.ts";
import { packedRowBytes, type PackingId } from "../../../src/quant/packing.ts";
import { packings } from "../../../src/quant/packings/index.ts";
import { floatsToHalves, halvesToFloats } from "../../../src/util/half.ts";
import { Prng } from "../../../src/util/prng.ts";
import { blankOutput, normalSample, type Sample, upload } from "./data.ts";
import { type Exact, expectWithin } from "./expect-within.ts";
import { product } from "./formulas.ts";
import { remember } from "./remember.ts";

// Float32 sums over exactly widened weights.
const tolerance = { relative: 2e-6 };

/** Tokens, outFeatures, inFeatures: decode, small batches and prefill; widths that no unit divides. */
const shapes = [
  [1, 1, 8],
  [1, 7, 172],
  [1, 96, 352],
  [2, 5, 13],
  [4, 33, 172],
  [8, 16, 352],
  [9, 19, 100],
  [33, 40, 172],
] as const;

const groupSizes = [8, 12, 32, 64, 100, 128] as const;

/** More than one block of tokens, of rows and of columns. */
const largeShapes = [
  [1, 70, 1300],
  [70, 130, 700],
] as const;

interface PackedSample {
  /** Names the sample. */
  readonly key: string;
  readonly operand: PackedOperand;
  /** Decoded weight, `[outFeatures, inFeatures]`. */
  readonly values: Float64Array;
}

/** Checks `packedMatmul` for every packing, group size and kind of decoding. */
export function testPackedProducts(open: () => Backend): void {
  describe("packedMatmul", () => {
    for (const id of Object.keys(packings) as PackingId[]) {
      for (const decoding of ["affine", "table"] as const) {
        test(`${id}, ${decoding}: x·Ŵᵀ for every group size, with a shorter last group`, async () => {
          for (const [tokens, out, width] of shapes) {
            const sizes = groupSizes.filter((size) => size < width);
            for (const groupSize of [...sizes, width]) {
              await check(open(), tokens, packSample(id, decoding, out, width, groupSize));
            }
          }
          for (const [tokens, out, width] of largeShapes) {
            await check(open(), tokens, packSample(id, decoding, out, width, 128));
          }
        });
      }
    }

    test("one prepared operand serves decode and prefill", async () => {
      const backend = open();
      const weight = packSample("bits4", "affine", 24, 64, 32);
      const prepared = backend.prepare(weight.operand);
      for (const tokens of [1, 40, 1]) {
        const x = normalSample([tokens, 64], tokens);
        const out = blankOutput(backend, [tokens, 24]);
        backend.kernels.packedMatmul(out, upload(backend, x), prepared);
        expectWithin(await out.read(), exactProduct(tokens, weight, x), tolerance);
      }
    });
  });
}

function packSample(
  id: PackingId,
  decoding: "affine" | "table",
  outFeatures: number,
  inFeatures: number,
  groupSize: number,
): PackedSample {
  const key = `${id} ${decoding} ${outFeatures} ${inFeatures} ${groupSize}`;
  return remember(key, () => {
    const random = new Prng(outFeatures * 1000 + inFeatures + groupSize);
    const layout = packings[id];
    const groups = Math.ceil(inFeatures / groupSize);
    const draw = (length: number) => Float32Array.from({ length }, () => random.normal());
    // Stored scales are float16, so scale · code is exact in float32.
    const scales = halvesToFloats(floatsToHalves(draw(outFeatures * groups)));
    const offsets = draw(outFeatures * groups);
    const table = draw(layout.levels);
    const rowBytes = packedRowBytes(layout, inFeatures);
    const bytes = new Uint8Array(outFeatures * rowBytes);
    const values = new Float64Array(outFeatures * inFeatures);
    for (let row = 0; row < outFeatures; row++) {
      const codes = Uint8Array.from({ length: inFeatures }, () => random.below(layout.levels));
      layout.pack(codes, 0, inFeatures, bytes, row * rowBytes);
      for (let column = 0; column < inFeatures; column++) {
        const group = row * groups + Math.floor(column / groupSize);
        const code = codes[column];
        values[row * inFeatures + column] =
          decoding === "affine"
            ? scales[group] * code + offsets[group]
            : scales[group] * table[code];
      }
    }
    const decode = decoding === "affine" ? { offsets } : { table };
    const shape = { outFeatures, inFeatures, groupSize, rowBytes };
    return { key, operand: { ...shape, layout, codes: bytes, scales, ...decode }, values };
  });
}

async function check(backend: Backend, tokens: number, weight: PackedSample): Promise<void> {
  const { outFeatures, inFeatures } = weight.operand;
  const x = normalSample([tokens, inFeatures], tokens);
  const out = blankOutput(backend, [tokens, outFeatures]);
  backend.kernels.packedMatmul(out, upload(backend, x), backend.prepare(weight.operand));
  expectWithin(await out.read(), exactProduct(tokens, weight, x), tolerance);
}

function exactProduct(tokens: number, { key, operand, values }: PackedSample, x: Sample): Exact {
  const { outFeatures, inFeatures } = operand;
  return remember(`${key} × ${tokens}`, () =>
    product(tokens, outFeatures, inFeatures, x.values, values),
  );
}
