import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CheckpointWriter } from "../../src/formats/checkpoint-writer.ts";
import { quantizedEntries, writeQTensor } from "../../src/formats/fewbit-format.ts";
import {
  layerKind,
  type QuantizedModule,
  writeQuantizationConfig,
} from "../../src/formats/quantization-config.ts";
import { toStoredForm, turnedShape } from "../../src/formats/tensor-forms.ts";
import type { TensorEntry } from "../../src/formats/safetensors-header.ts";
import {
  blockLinearNames,
  expectedTensors,
  storedForms,
} from "../../src/models/decoder-tensors.ts";
import type { DecoderConfig } from "../../src/models/decoder-config.ts";
import { readModelConfig } from "../../src/models/index.ts";
import { QTensor } from "../../src/quant/q-tensor.ts";
import { groupsPerRow, parseScheme, type Scheme } from "../../src/quant/scheme.ts";
import type { Shape } from "../../src/tensor/shape.ts";
import { floatsToBfloats, floatsToHalves } from "../../src/util/half.ts";
import { formulaWeight, hashedValues, type StorageName } from "./formula-weights.ts";
import { readModelCase } from "./model-cases.ts";

/** How a tiny checkpoint is written. */
export interface TinyCheckpointOptions {
  /** Golden model whose config and weights are written. */
  readonly modelCase?: string;
  /** Replaces fields of its config. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Whether tensors are those that the config with these fields asks for. */
  readonly fitting?: boolean;
  /** What weights are stored in; by default what the golden model is. */
  readonly dtype?: StorageName;
  readonly generationConfig?: Readonly<Record<string, unknown>>;
  /** Pack the block's linears with pseudo-random codes of this scheme. */
  readonly scheme?: string;
  /** Makes the packed weights, instead of pseudo-random codes and scales. */
  readonly pack?: (
    module: string,
    scheme: Scheme,
    outFeatures: number,
    inFeatures: number,
  ) => QTensor;
  /** Changes the values of a tensor before they are written. */
  readonly edit?: (name: string, values: Float32Array) => void;
  /** Replaces the shape of a tensor. */
  readonly reshape?: (name: string, shape: Shape) => Shape;
  /** Leave a tensor out. */
  readonly omit?: (name: string) => boolean;
  /** Tensors that the config does not ask for, with their shapes. */
  readonly extra?: Readonly<Record<string, Shape>>;
  /** The name that a tensor is stored under. */
  readonly rename?: (name: string) => string;
}

/** A checkpoint directory for one test; `remove` deletes it. */
export interface TinyCheckpoint {
  readonly path: string;
  readonly remove: () => Promise<void>;
}

const alphabet = " ,.!?'\n".concat("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

/** A tokenizer with one token a character, behind `<s>`, `</s>` and `<unk>`. */
function characterTokenizer(): object {
  const vocab = Object.fromEntries(
    ["<s>", "</s>", "<unk>", ...alphabet].map((token, id) => [token, id] as const),
  );
  const special = (content: string) => ({
    id: vocab[content],
    content,
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  });
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: ["<s>", "</s>", "<unk>"].map(special),
    normalizer: null,
    pre_tokenizer: null,
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>" } }, { Sequence: { id: "A" } }],
      special_tokens: { "<s>": { ids: [vocab["<s>"]] } },
    },
    decoder: { type: "Fuse" },
    model: { type: "BPE", unk_token: "<unk>", fuse_unk: false, vocab, merges: [] },
  };
}

/** Writes a golden model as a Hugging Face checkpoint directory with a character tokenizer. */
export async function writeTinyCheckpoint(
  options: TinyCheckpointOptions = {},
): Promise<TinyCheckpoint> {
  const golden = readModelCase(options.modelCase ?? "llama-tied-multi-head");
  const config = { ...golden.config, ...options.config };
  const path = await mkdtemp(join(tmpdir(), "fewbit-tiny-"));
  const scheme = options.scheme === undefined ? null : parseScheme(options.scheme);
  const decoder = readModelConfig(options.fitting ? config : golden.config);
  const tensors = [...expectedTensors(decoder), ...Object.entries(options.extra ?? {})]
    .filter(([name]) => !options.omit?.(name))
    .map(([name, shape]) => ({ name, shape: options.reshape?.(name, shape) ?? shape }));
  const quantized = await writeWeights(path, tensors, {
    scheme,
    dtype: options.dtype ?? golden.dtype,
    options,
    decoder,
  });
  const quantization = scheme
    ? { quantization_config: writeQuantizationConfig(scheme, quantized) }
    : {};
  const json = (name: string, value: object) => writeFile(join(path, name), JSON.stringify(value));
  await json("config.json", { ...config, ...quantization });
  await json("generation_config.json", options.generationConfig ?? { eos_token_id: 1 });
  await json("tokenizer.json", characterTokenizer());
  await json("tokenizer_config.json", { bos_token: "<s>", eos_token: "</s>" });
  return { path, remove: () => rm(path, { recursive: true }) };
}

interface TensorPlan {
  readonly name: string;
  readonly shape: Shape;
}

async function writeWeights(
  path: string,
  tensors: readonly TensorPlan[],
  how: {
    scheme: Scheme | null;
    dtype: StorageName;
    options: TinyCheckpointOptions;
    decoder: DecoderConfig;
  },
): Promise<Map<string, QuantizedModule>> {
  const { scheme, dtype, options, decoder } = how;
  const linears = blockLinearNames(decoder);
  const forms = storedForms(decoder);
  const dtypes = { float32: "f32", float16: "f16", bfloat16: "bf16" } as const;
  const modules = new Map<string, QuantizedModule>();
  const packed = new Map<string, QTensor>();
  const entries: TensorEntry[] = [];
  for (const { name, shape } of tensors) {
    if (!scheme || !linears.has(name)) {
      entries.push({ name, dtype: dtypes[dtype], shape: turnedShape(shape, forms.get(name)) });
      continue;
    }
    const module = name.slice(0, -".weight".length);
    const [outFeatures, inFeatures] = shape;
    modules.set(module, { kind: layerKind(scheme), scheme, outFeatures, inFeatures });
    const pack = options.pack ?? pseudoRandomWeight;
    packed.set(module, pack(module, scheme, outFeatures, inFeatures));
    entries.push(...quantizedEntries(module, { scheme, outFeatures, inFeatures }));
  }
  const stored = options.rename ?? ((name: string) => name);
  const writer = await CheckpointWriter.create(
    path,
    entries.map((entry) => ({ ...entry, name: stored(entry.name) })),
  );
  const write = (name: string, data: ArrayBufferView) => writer.write(stored(name), data);
  for (const [module, weight] of packed) await writeQTensor({ write }, module, weight);
  for (const { name, shape } of tensors) {
    if (packed.has(name.slice(0, -".weight".length))) continue;
    const values = formulaWeight(name, shape);
    options.edit?.(name, values);
    // The formula gives what is stored, as `[out, in]`.
    const form = { transposed: false, ...forms.get(name), offset: 0 };
    await write(name, narrowed(toStoredForm(values, shape, form), dtype));
  }
  await writer.finish();
  return modules;
}

function narrowed(values: Float32Array, dtype: StorageName): ArrayBufferView {
  if (dtype === "float32") return values;
  return dtype === "float16" ? floatsToHalves(values) : floatsToBfloats(values);
}

/** A packed weight of a spread like that of the formula's matrices. */
function pseudoRandomWeight(
  module: string,
  scheme: Scheme,
  outFeatures: number,
  inFeatures: number,
): QTensor {
  const { levels, zeroPoint, step, inputScales } = scheme.grid;
  const pick = (name: string, count: number) =>
    Uint8Array.from(hashedValues(`${module}.${name}`, count), (v) => ((v + 1) / 2) * levels);
  const groups = outFeatures * groupsPerRow(scheme, inFeatures);
  const scale = 4 / (Math.sqrt(inFeatures) * levels * step);
  const scales = hashedValues(`${module}.scales`, groups).map((v) => scale * (1 + v / 2));
  return QTensor.pack(scheme, {
    outFeatures,
    inFeatures,
    codes: pick("codes", outFeatures * inFeatures),
    scales: floatsToHalves(scales),
    ...(zeroPoint === "integer" ? { zeros: pick("zeros", groups) } : {}),
    ...(inputScales && {
      inputScales: floatsToHalves(
        hashedValues(`${module}.input_scales`, inFeatures).map((v) => 1 + v / 2),
      ),
    }),
  });
}
