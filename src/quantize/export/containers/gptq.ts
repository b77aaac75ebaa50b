import { writeBitStream } from "../../../quant/packings/bit-stream.ts";
import { streamWords, transposeInto, transposeWords } from "../../../formats/foreign/code-words.ts";
import type { Container, StoredPart } from "./container.ts";
import { type IntegerForm, type IntegerLayer, zerosOf } from "./integer-layer.ts";
import { storedRows } from "./stored-rows.ts";
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
      part("qweight", "i32", [streamWords(inFeatures, bits), out], (layer) => {
        const rows = storedRows(layer, form);
        return transposeWords(rows, out, rows.length / out);
      }),
      part("qzeros", "i32", [groups, streamWords(out, bits)], (layer) =>
        packZeros(layer, form, less),
      ),
      part("scales", "f16", [groups, out], ({ units }) =>
        transposeInto(units, out, groups, new Uint16Array(units.length)),
      ),
      part("g_idx", "i32", [inFeatures], () =>
        Int32Array.from({ length: inFeatures }, (_, i) =>
          Math.floor(i / (form.groupSize ?? inFeatures)),
        ),
      ),
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

function isAlike(a: IntegerForm, b: IntegerForm): boolean {
  return a.bits === b.bits && a.groupSize === b.groupSize && a.symmetric === b.symmetric;
}

function escape(name: string): string {
  return name.replaceAll(".", "\\.");
}

function packZeros(layer: IntegerLayer, form: IntegerForm, less: number): Uint32Array {
  const { outFeatures: out, groups } = layer;
  const { bits } = form;
  const zeros = zerosOf(layer, form);
  const turned = transposeInto(zeros, out, groups, new Uint8Array(zeros.length));
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
