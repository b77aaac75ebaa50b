import { FormatError } from "../../util/errors.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { quoteName } from "../wording.ts";
import { writeBitStream } from "../../quant/packings/bit-stream.ts";
import { transposeInto } from "./transpose.ts";
import type { ForeignWeight } from "./foreign-container.ts";
import { holdIntegers } from "./hold-integers.ts";
import { expectTensor, floatDTypes, readScales, turnScales } from "./module-tensors.ts";

/** Rows whose codes share words, and columns that are put into another order together. */
const interleave = 4;
const stride = 64;

/**
 * Opens a module as llm-awq (TinyChat) stores it: `qweight` I16 `[out/4, in]`, four rows a word in
 * runs of 64 columns; `scales` and `scaled_zeros` `[groups or more, out]`, the latter `−scale·zero`.
 * Source: mit-han-lab/llm-awq, awq/quantize/qmodule.py.
 * @throws FormatError where a zero point is no code
 */
export async function openLlmAwq(
  checkpoint: Checkpoint,
  name: string,
  zerosPart: string,
  groupSize: number | null,
): Promise<ForeignWeight> {
  const [qweight, scaledZeros, scales] = ["qweight", zerosPart, "scales"].map(
    (part) => `${name}.${part}`,
  );
  const [quarter, inFeatures] = expectTensor(checkpoint, qweight, ["i16"], [null, null]).shape;
  const outFeatures = interleave * quarter;
  const groups = inFeatures / (groupSize ?? inFeatures);
  if (!Number.isInteger(groups) || inFeatures % stride !== 0) {
    throw new FormatError(
      `tensor ${quoteName(qweight)}: ${inFeatures} columns are no whole groups of ${groupSize} ` +
        `(\`group_size\`), or runs of ${stride}`,
    );
  }
  const [height] = expectTensor(checkpoint, scales, floatDTypes, [null, outFeatures]).shape;
  expectTensor(checkpoint, scaledZeros, floatDTypes, [height, outFeatures]);
  if (height < groups) {
    throw new FormatError(`tensor ${quoteName(scales)}: ${height} groups, expected ${groups}`);
  }
  // Groups are filled up.
  const read = async (part: string): Promise<Float32Array> =>
    (await readScales(checkpoint, part)).subarray(0, groups * outFeatures);
  return holdIntegers({
    outFeatures,
    inFeatures,
    groupSize: groups === 1 ? null : groupSize,
    bits: 4,
    groupOf: null,
    storedScales: () => read(scales),
    arrange: (stored) => turnScales(stored, groups, outFeatures),
    zeros: async () => {
      const zeros = zerosOf(scaledZeros, await read(scaledZeros), await read(scales));
      return transposeInto(zeros, groups, outFeatures, new Uint8Array(zeros.length));
    },
    rows: async () => {
      const stored = await checkpoint.viewAs(qweight, "i16");
      return rowsOf(stored, outFeatures, inFeatures);
    },
  });
}

function zerosOf(name: string, products: Float32Array, scales: Float32Array): Uint8Array {
  return Uint8Array.from(products, (product, i) => {
    const zero = scales[i] === 0 ? 0 : Math.round(-product / scales[i]);
    // The product was rounded to 16 bits.
    const isNear = Math.abs(product + zero * scales[i]) <= Math.abs(product) * 2 ** -8;
    if (zero >= 0 && zero <= 15 && isNear) return zero;
    throw new FormatError(
      `tensor ${quoteName(name)}: ${product} at ${i} is no zero point from 0 to 15 times the ` +
        `scale ${scales[i]}`,
    );
  });
}

/** Where each of 32 columns of a run stands. */
const columnPlaces = Uint8Array.from({ length: 32 }, (_, place) => {
  // Undone from the last step on: pairs of eight apart, then runs of two out of blocks of eight.
  const eight = place & ~7;
  const inEight = place & 7;
  const mixed = eight + 2 * (inEight & 3) + (inEight >> 2);
  return 8 * ((mixed >> 1) & 3) + 2 * (mixed >> 3) + (mixed & 1);
});

function rowsOf(stored: Int16Array, outFeatures: number, inFeatures: number): Uint8Array {
  const codes = new Uint8Array(outFeatures * inFeatures);
  for (let quad = 0, at = 0; quad < outFeatures; quad += interleave) {
    for (let run = 0; run < inFeatures; run += stride) {
      for (let i = 0; i < stride; i++, at++) {
        for (let nibble = 0; nibble < interleave; nibble++) {
          const flat = i * interleave + nibble;
          const row = quad + Math.floor(flat / stride);
          const place = run + (flat % stride);
          const column = (place & ~31) + columnPlaces[place & 31];
          codes[row * inFeatures + column] = (stored[at] >>> (4 * nibble)) & 15;
        }
      }
    }
  }
  const rowBytes = inFeatures / 2;
  const rows = new Uint8Array(outFeatures * rowBytes);
  for (let row = 0; row < outFeatures; row++) {
    writeBitStream(
      codes.subarray(row * inFeatures, (row + 1) * inFeatures),
      4,
      rows,
      row * rowBytes,
    );
  }
  return rows;
}
