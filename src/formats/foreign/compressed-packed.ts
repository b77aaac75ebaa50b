import { FormatError } from "../../util/errors.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { quoteName } from "../wording.ts";
import { paddedWords, readWordRows, streamOfPadded, streamWords } from "./code-words.ts";
import { transposeInto, transposeWords } from "./transpose.ts";
import { expectZeros, notSymmetric, openScales } from "./compressed-scales.ts";
import type { LayerScheme } from "./compressed-settings.ts";
import type { ForeignWeight } from "./foreign-container.ts";
import { holdIntegers } from "./hold-integers.ts";
import { expectTensor, readBytes } from "./module-tensors.ts";

/**
 * Opens a layer of `pack-quantized`: `weight_packed` I32 `[out, words]`, a row one little-endian stream
 * of codes (since June 2026) or whole codes in words; `weight_zero_point` I32 `[words, groups]`,
 * packed along the outputs; `weight_shape [2]`. Which of the two ways it is, only the number of words
 * says.
 * @throws FormatError when tensors do not fit the configuration
 */
export async function openPacked(
  checkpoint: Checkpoint,
  name: string,
  layer: LayerScheme,
): Promise<ForeignWeight> {
  const { bits, symmetric, activation } = layer;
  const packed = `${name}.weight_packed`;
  const [rows, words] = expectTensor(checkpoint, packed, ["i32"], [null, null]).shape;
  const shape = await readShape(checkpoint, name, rows);
  const [outFeatures, inFeatures] = shape;
  const isPadded = words !== streamWords(inFeatures, bits);
  if (isPadded && words !== paddedWords(inFeatures, bits)) {
    throw new FormatError(
      `tensor ${quoteName(packed)}: rows of ${words} words are not those of ${inFeatures} codes of ` +
        `${bits} bits (\`num_bits\`)`,
    );
  }
  const scales = await openScales(checkpoint, name, layer, shape);
  const { groups } = scales;
  const zeroPoint = `${name}.weight_zero_point`;
  const zeroWords = isPadded ? paddedWords(outFeatures, bits) : streamWords(outFeatures, bits);
  const isPacked = checkpoint.has(zeroPoint) && checkpoint.info(zeroPoint).dtype === "i32";
  const hasZeros = !symmetric || isPacked;
  if (!hasZeros) await expectZeros(checkpoint, zeroPoint);
  else expectTensor(checkpoint, zeroPoint, ["i32"], [zeroWords, groups]);
  return holdIntegers({
    ...scales,
    outFeatures,
    inFeatures,
    bits,
    activation,
    zeros: async () => {
      if (!hasZeros) return null;
      const packing = { bits, isPadded, words: zeroWords };
      const codes = await readZeros(checkpoint, zeroPoint, [outFeatures, groups], packing);
      if (symmetric) expectMiddle(zeroPoint, codes, bits);
      return codes;
    },
    rows: async () => {
      const bytes = await readBytes(checkpoint, packed);
      if (!isPadded) return bytes;
      const stored = new Uint32Array(bytes.slice().buffer);
      return streamOfPadded(stored, outFeatures, inFeatures, bits);
    },
  });
}

/** Reads zero points that are packed along the outputs, `[outFeatures, groups]`. */
async function readZeros(
  checkpoint: Checkpoint,
  name: string,
  [outFeatures, groups]: readonly [number, number],
  { words, ...packing }: { bits: number; isPadded: boolean; words: number },
): Promise<Uint8Array> {
  const stored = new Uint32Array((await readBytes(checkpoint, name)).slice().buffer);
  const turned = transposeWords(stored, words, groups);
  const codes = readWordRows(turned, groups, outFeatures, packing);
  return transposeInto(codes, groups, outFeatures, new Uint8Array(codes.length));
}

/** @throws FormatError where a zero point of a symmetric layer is not in the middle */
function expectMiddle(name: string, codes: Uint8Array, bits: number): void {
  const middle = 2 ** (bits - 1);
  const wrong = codes.findIndex((code) => code !== middle);
  if (wrong >= 0) throw notSymmetric(name, codes[wrong] - middle);
}

async function readShape(
  checkpoint: Checkpoint,
  name: string,
  rows: number,
): Promise<readonly [number, number]> {
  const stated = `${name}.weight_shape`;
  const { dtype } = expectTensor(checkpoint, stated, ["i64", "i32"], [2]);
  const values = await checkpoint.viewAs(stated, dtype as "i64" | "i32");
  const [out, inFeatures] = [...values].map(Number);
  if (out === rows && inFeatures >= 1) return [out, inFeatures];
  throw new FormatError(
    `tensor ${quoteName(stated)}: [${out}, ${inFeatures}] is not the shape of ` +
      `${quoteName(`${name}.weight_packed`)}, which has ${rows} rows`,
  );
}
