import { writeBitStream } from "../../../quant/packings/bit-stream.ts";
import { streamWords } from "../../../formats/foreign/code-words.ts";
import { transposeInto, transposeWords } from "../../../formats/foreign/transpose.ts";
import type { JsonRecord } from "../../../util/json.ts";
import type { Container, StoredPart } from "./container.ts";
import { type IntegerForm, type IntegerLayer, readStored, zerosOf } from "./integer-layer.ts";
import { formKey } from "./most-of.ts";
import { storedRows } from "./stored-rows.ts";

/**
 * compressed-tensors: packed codes, or I8 where inputs are rounded to 8 bits, too;
 * `src/formats/foreign/compressed-tensors.ts` has the layouts.
 */
export const compressedTensorsContainer = {
  id: "compressed-tensors",
  title: "compressed-tensors, as vLLM, SGLang and transformers load it",
  bits: [2, 3, 4, 8],
  refuse({ activation, groupSize, inFeatures }) {
    const isByToken = activation === null || (activation.mode === "token" && activation.bits > 1);
    if (!isByToken) return "inputs are not rounded by token there";
    if (inFeatures % (groupSize ?? 1) === 0) return null;
    return `groups of ${groupSize} do not divide rows of ${inFeatures}`;
  },
  parts(module, form) {
    const { outFeatures: out, inFeatures, groupSize, symmetric } = form;
    const groups = inFeatures / (groupSize ?? inFeatures);
    const scale: StoredPart = {
      name: `${module}.weight_scale`,
      dtype: "f16",
      shape: [out, groups],
      make: ({ units }) => [units],
    };
    if (isInts(form)) {
      const weight: StoredPart = {
        name: `${module}.weight`,
        dtype: "i8",
        shape: [out, inFeatures],
        make: (layer) => [signedRows(layer, form)],
      };
      return [weight, scale, ...(symmetric ? [] : [intZeros(module, form, groups)])];
    }
    return [
      {
        name: `${module}.weight_packed`,
        dtype: "i32",
        shape: [out, streamWords(inFeatures, form.bits)],
        make: (layer) => [storedRows(layer, form)],
      },
      scale,
      ...(symmetric ? [] : [packedZeros(module, form, groups)]),
      {
        name: `${module}.weight_shape`,
        dtype: "i64",
        shape: [2],
        make: () => [BigInt64Array.of(BigInt(out), BigInt(inFeatures))],
      },
    ];
  },
  settings({ forms, plain }) {
    const groups = new Map<string, { readonly form: IntegerForm; readonly names: string[] }>();
    for (const [name, form] of forms) {
      const key = formKey(form);
      const group = groups.get(key) ?? { form, names: [] };
      group.names.push(name);
      groups.set(key, group);
    }
    const all = [...groups.values()];
    const kinds = new Set(all.map(({ form }) => formatOf(form)));
    const described = all.map(({ form, names }, i) => [
      `group_${i}`,
      {
        targets: all.length === 1 ? ["Linear"] : names,
        weights: weightsOf(form),
        input_activations: inputsOf(form),
        output_activations: null,
        format: formatOf(form),
      },
    ]);
    const [only] = kinds;
    return {
      quant_method: "compressed-tensors",
      format: kinds.size === 1 ? only : "mixed-precision",
      quantization_status: "compressed",
      config_groups: Object.fromEntries(described) as JsonRecord,
      ignore: plain,
      ...(needsDequantize(all) && { dequantize: true }),
      kv_cache_scheme: null,
      global_compression_ratio: null,
    };
  },
} as const satisfies Container;

/**
 * Whether transformers must decode weights while it loads them: what keeps them packed expects zero
 * points that are not (compressed-tensors 0.20, `compress` of pack_quantized/base.py for weights
 * without data), and the other way has one group for all layers and no rounded inputs.
 */
function needsDequantize(groups: readonly { readonly form: IntegerForm }[]): boolean {
  const [{ form }] = groups;
  return groups.length === 1 && !form.symmetric && form.activation === null;
}

function isInts({ activation, bits }: IntegerForm): boolean {
  return activation?.bits === 8 && bits === 8;
}

function formatOf(form: IntegerForm): string {
  return isInts(form) ? "int-quantized" : "pack-quantized";
}

function weightsOf({ bits, symmetric, groupSize }: IntegerForm): JsonRecord {
  return {
    num_bits: bits,
    type: "int",
    symmetric,
    strategy: groupSize === null ? "channel" : "group",
    group_size: groupSize,
    block_structure: null,
    actorder: null,
    dynamic: false,
    observer: "minmax",
    observer_kwargs: {},
  };
}

function inputsOf({ activation }: IntegerForm): JsonRecord | null {
  if (!activation) return null;
  return {
    num_bits: activation.bits,
    type: "int",
    symmetric: true,
    strategy: "token",
    group_size: null,
    block_structure: null,
    actorder: null,
    dynamic: true,
    observer: null,
    observer_kwargs: {},
  };
}

function signedRows(layer: IntegerLayer, form: IntegerForm): Int8Array {
  const { outFeatures, inFeatures } = layer;
  const out = new Uint8Array(outFeatures * inFeatures);
  for (let row = 0; row < outFeatures; row++) {
    readStored(layer, form, row, out.subarray(row * inFeatures, (row + 1) * inFeatures));
  }
  return toSigned(out);
}

function toSigned(codes: Uint8Array): Int8Array {
  const signed = new Int8Array(codes.length);
  for (let i = 0; i < codes.length; i++) signed[i] = codes[i] - 128;
  return signed;
}

function intZeros(module: string, form: IntegerForm, groups: number): StoredPart {
  return {
    name: `${module}.weight_zero_point`,
    dtype: "i8",
    shape: [form.outFeatures, groups],
    make: (layer, scratch) => [toSigned(zerosOf(layer, form, scratch))],
  };
}

/** Zero points as streams along the outputs, one a group: `[words, groups]`. */
function packedZeros(module: string, form: IntegerForm, groups: number): StoredPart {
  const { outFeatures: out, bits } = form;
  const wide = streamWords(out, bits);
  return {
    name: `${module}.weight_zero_point`,
    dtype: "i32",
    shape: [wide, groups],
    make: (layer, scratch) => {
      const zeros = zerosOf(layer, form, scratch);
      const turned = transposeInto(zeros, out, groups, scratch.bytes("turned zeros", zeros.length));
      const runs = new Uint32Array(wide * groups);
      const bytes = new Uint8Array(runs.buffer);
      for (let group = 0; group < groups; group++) {
        const codes = turned.subarray(group * out, (group + 1) * out);
        writeBitStream(codes, bits, bytes, 4 * group * wide);
      }
      return [transposeWords(runs, groups, wide)];
    },
  };
}
