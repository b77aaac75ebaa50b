import { awqOrder, columnSquares, outputSquares } from "../../../formats/foreign/awq.ts";
import { turnNibbles } from "../../../formats/foreign/code-words.ts";
import { transposeInto } from "../../../formats/foreign/transpose.ts";
import type { Scratch } from "../../../util/scratch.ts";
import type { Container, StoredPart } from "./container.ts";
import { zerosOf } from "./integer-layer.ts";
import { commonGroupSize } from "./most-of.ts";
import { pieceWords, storedRows } from "./stored-rows.ts";

/** AWQ, version gemm; `src/formats/foreign/awq.ts` has the layout. */
export const awqContainer = {
  id: "awq",
  title: "AWQ (gemm), as AutoAWQ, vLLM and SGLang load it",
  bits: [4],
  settingsFile: "quant_config.json",
  refuse({ activation, groupSize, outFeatures, inFeatures }) {
    if (activation) return "it has no rounded inputs";
    if (outFeatures % 8 !== 0) return `${outFeatures} outputs are no multiple of 8`;
    if (inFeatures % (groupSize ?? 1) === 0) return null;
    return `groups of ${groupSize} do not divide rows of ${inFeatures}`;
  },
  parts(module, form) {
    const { outFeatures: out, inFeatures } = form;
    const groups = inFeatures / (form.groupSize ?? inFeatures);
    const parts: readonly StoredPart[] = [
      {
        name: `${module}.qweight`,
        dtype: "i32",
        shape: [inFeatures, out / 8],
        make: (layer, scratch) => turnedRows(storedRows(layer, form), out, inFeatures, scratch),
      },
      {
        name: `${module}.qzeros`,
        dtype: "i32",
        shape: [groups, out / 8],
        make: (layer, scratch) => {
          const zeros = zerosOf(layer, form, scratch);
          const turned = scratch.bytes("turned zeros", zeros.length);
          return [packNibbles(transposeInto(zeros, out, groups, turned))];
        },
      },
      {
        name: `${module}.scales`,
        dtype: "f16",
        shape: [groups, out],
        make: ({ units }, scratch) => [
          transposeInto(units, out, groups, scratch.halves("turned scales", units.length)),
        ],
      },
    ];
    return parts;
  },
  settings({ forms, plain }) {
    return {
      quant_method: "awq",
      bits: 4,
      group_size: commonGroupSize([...forms.values()]) ?? -1,
      zero_point: true,
      version: "gemm",
      modules_to_not_convert: plain.length > 0 ? plain : null,
    };
  },
} as const satisfies Container;

function packNibbles(codes: Uint8Array): Uint32Array {
  const words = new Uint32Array(codes.length / 8);
  for (let i = 0, at = 0; i < words.length; i++, at += 8) {
    let word = 0;
    for (let nibble = 0; nibble < 8; nibble++) word |= codes[at + awqOrder[nibble]] << (4 * nibble);
    words[i] = word;
  }
  return words;
}

/** Words `[columns, outputs/8]` of rows of outputs, a stream of nibbles each; some columns at a time. */
function* turnedRows(
  rows: Uint32Array,
  out: number,
  columns: number,
  scratch: Scratch,
): Generator<Uint32Array> {
  const wide = rows.length / out;
  const words = out / 8;
  const step = Math.max(1, Math.floor(pieceWords / out));
  const piece = scratch.words("piece", Math.min(step, wide) * out);
  const [from, to] = [outputSquares(wide), columnSquares(words)];
  for (let first = 0; first < wide; first += step) {
    const count = Math.min(step, wide - first);
    turnNibbles(rows.subarray(first), from, piece, to, [words, count]);
    // Rows are filled up to whole words.
    yield piece.subarray(0, Math.min(8 * count, columns - 8 * first) * words);
  }
}
