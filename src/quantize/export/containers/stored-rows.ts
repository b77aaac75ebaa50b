import { writeBitStream } from "../../../quant/packings/bit-stream.ts";
import { streamWords } from "../../../formats/foreign/code-words.ts";
import { rowRecoder } from "../recode-rows.ts";
import { commonShift, type IntegerForm, type IntegerLayer, readStored } from "./integer-layer.ts";

/** Words of a piece that is turned at a time: what is written stays in the cache till then. */
export const pieceWords = 2 ** 18;

/** Rows of a form: a little-endian stream of bits each, padded to whole words. */
export function storedRows(layer: IntegerLayer, form: IntegerForm): Uint32Array {
  const bytes = streamsOf(layer, form);
  const isAligned = bytes.byteOffset % 4 === 0;
  const { buffer, byteOffset, byteLength } = isAligned ? bytes : bytes.slice();
  return new Uint32Array(buffer, byteOffset, byteLength / 4);
}

function streamsOf(layer: IntegerLayer, form: IntegerForm): Uint8Array {
  const { outFeatures, inFeatures, weight, affine } = layer;
  const { bits } = form;
  const rowBytes = 4 * streamWords(inFeatures, bits);
  const shift = commonShift(layer, form);
  if (shift !== null) {
    const { stride } = affine;
    return rowRecoder(weight, affine, { bits, stride, shift, rowBytes })(0, outFeatures);
  }
  const rows = new Uint8Array(outFeatures * rowBytes);
  const stored = new Uint8Array(inFeatures);
  for (let row = 0; row < outFeatures; row++) {
    readStored(layer, form, row, stored);
    writeBitStream(stored, bits, rows, row * rowBytes);
  }
  return rows;
}
