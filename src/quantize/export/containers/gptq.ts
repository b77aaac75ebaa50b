import { writeBitStream } from "../../../quant/packings/bit-stream.ts";
import { streamWords } from "../../../formats/foreign/code-words.ts";
import { transposeInto, turnColumns } from "../../../formats/foreign/transpose.ts";
import type { Scratch } from "../../../util/scratch.ts";
import type { Container, StoredPart } from "./container.ts";
import { type IntegerForm, type IntegerLayer, zerosOf } from "./integer-layer.ts";
import { pieceWords, storedRows } from "./stored-rows.ts";
import { mostOf } from "./most-of.ts";

/**
 * GPTQ, as GPTQModel, transformers and vLLM load it; `src/formats/foreign/gptq.ts` has the layout. A
 * checkpoint with asymmetric layers is of version 2: GPTQModel takes those of version 1 from its own
 * program only, since a zero point of 0 is none there.
 */
export const gptqContainer = {
  id: "gptq",
  title: "GPTQ, as GPTQModel, vLLM and transformers load it",
  bits: [2, 3, 4, 8],
  settingsFile: "quantize_config.json",
  refuse({ activation, outFeatures, inFeatures }) {
    if (activation) return "it has no rounded inputs";
    if (inFeatures % 32 === 0 && outFeatures % 32 === 0) return null;
    return `${outFeatures} × ${inFeatures} are no multiples of 32`;
  },
  parts(module, form, layers) {
    const { bits, outFeatures: out, inFeatures } = form;
    const groups = Math.ceil(inFeatures / (form.groupSize ?? inFeatures));
    const less = layers.symmetric ? 1 : 0;
    return [
      part("qweight", "i32", [streamWords(inFeatures, bits), out], (layer, scratch) =>
        turnedRows(storedRows(layer, form), out, scratch),
      ),
      part("qzeros", "i32", [groups, streamWords(out, bits)], (layer, scratch) => [
        packZeros(layer, form, less, scratch),
      ]),
      part("scales", "f16", [groups, out], ({ units }, scratch) => [
        transposeInto(units, out, groups, scratch.halves("turned scales", units.length)),
      ]),
      part("g_idx", "i32", [inFeatures], () => [groupsOf(inFeatures, form.groupSize)]),
    ];

    function part(
      name: string,
      dtype: StoredPart["dtype"],
      shape: readonly number[],
      make: StoredPart["make"],
    ): StoredPart {
      return { name: `${module}.${name}`, dtype, shape, make };
    }
  },
  settings({ forms, plain, symmetric }) {
    const all = [...forms];
    const usual = mostOf(all.map(([, form]) => form));
    const others = all.filter(([, form]) => !isAlike(form, usual));
    const rules = [
      ...plain.map((name) => [`-:^${escape(name)}$`, {}] as const),
      ...others.map(
        ([name, { bits, groupSize, symmetric: sym }]) =>
          [`+:^${escape(name)}$`, { bits, group_size: groupSize ?? -1, sym }] as const,
      ),
    ];
    return {
      quant_method: "gptq",
      bits: usual.bits,
      group_size: usual.groupSize ?? -1,
      desc_act: false,
      sym: usual.symmetric,
      lm_head: false,
      true_sequential: true,
      damp_percent: 0.01,
      checkpoint_format: symmetric ? "gptq" : "gptq_v2",
      pack_dtype: "int32",
      ...(rules.length > 0 && { dynamic: Object.fromEntries(rules) }),
      meta: { quantizer: ["fewbit"] },
    };
  },
} as const satisfies Container;

/** The group of each column. */
function groupsOf(columns: number, groupSize: number | null): Int32Array {
  const groups = new Int32Array(columns);
  if (groupSize !== null) for (let i = 0; i < columns; i++) groups[i] = Math.floor(i / groupSize);
  return groups;
}

/** Turns rows of outputs, some columns of words at a time. */
function* turnedRows(rows: Uint32Array, out: number, scratch: Scratch): Generator<Uint32Array> {
  const wide = rows.length / out;
  const step = Math.max(1, Math.floor(pieceWords / out));
  const piece = scratch.words("piece", Math.min(step, wide) * out);
  for (let first = 0; first < wide; first += step) {
    const end = Math.min(wide, first + step);
    turnColumns(rows, out, wide, { first, end }, piece);
    yield piece.subarray(0, (end - first) * out);
  }
}

function isAlike(a: IntegerForm, b: IntegerForm): boolean {
  return a.bits === b.bits && a.groupSize === b.groupSize && a.symmetric === b.symmetric;
}

function escape(name: string): string {
  return name.replaceAll(".", "\\.");
}

function packZeros(
  layer: IntegerLayer,
  form: IntegerForm,
  less: number,
  scratch: Scratch,
): Uint32Array {
  const { outFeatures: out, groups } = layer;
  const { bits } = form;
  const zeros = zerosOf(layer, form, scratch);
  const turned = transposeInto(zeros, out, groups, scratch.bytes("turned zeros", zeros.length));
  for (let i = 0; i < turned.length; i++) turned[i] -= less;
  const wide = streamWords(out, bits);
  const words = new Uint32Array(groups * wide);
  const bytes = new Uint8Array(words.buffer);
  for (let group = 0; group < groups; group++) {
    const run = turned.subarray(group * out, (group + 1) * out);
    writeBitStream(run, bits, bytes, 4 * group * wide);
  }
  return words;
}
