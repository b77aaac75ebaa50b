import { writeBitStream } from "../../../quant/packings/bit-stream.ts";
import { streamWords } from "../../../formats/foreign/code-words.ts";
import { type IntegerForm, type IntegerLayer, keepsRows, readStored } from "./integer-layer.ts";

/** Rows of a form: a little-endian stream of bits each, padded to whole words. */
export function storedRows(layer: IntegerLayer, form: IntegerForm): Uint32Array {
  const { outFeatures, inFeatures, weight } = layer;
  if (keepsRows(layer, form)) {
    const { codes } = weight.parts;
    const isAligned = codes.byteOffset % 4 === 0;
    const { buffer, byteOffset, byteLength } = isAligned ? codes : codes.slice();
    return new Uint32Array(buffer, byteOffset, byteLength / 4);
  }
  const wide = streamWords(inFeatures, form.bits);
  const rows = new Uint32Array(outFeatures * wide);
  const bytes = new Uint8Array(rows.buffer);
  const stored = new Uint8Array(inFeatures);
  for (let row = 0; row < outFeatures; row++) {
    readStored(layer, form, row, stored);
    writeBitStream(stored, form.bits, bytes, 4 * row * wide);
  }
  return rows;
}
