import { FormatError } from "../../util/errors.ts";
import { isJsonRecord, type JsonRecord } from "../../util/json.ts";
import {
  bfloatBitsToFloat,
  floatToBfloatBits,
  floatToHalfBits,
  halfBitsToFloat,
  halvesToFloats,
} from "../../util/half.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { quoteName } from "../wording.ts";
import { readBitStream } from "../../quant/packings/bit-stream.ts";
import type { ForeignContainer, ForeignModule, ForeignWeight } from "./foreign-container.ts";
import { decodeAffine, holdAffine } from "./hold-affine.ts";
import {
  expectTensor,
  floatDTypes,
  modulesWith,
  readBytes,
  readScales,
  readStoredScales,
  refuseSetting,
} from "./module-tensors.ts";

/**
 * MLX's affine quantization: for a module M, `M.weight` U32 `[out, in·bits/32]`, each row one
 * little-endian stream of codes; `M.scales` and `M.biases` `[out, in/groupSize]`. A weight is
 * `scale·code + bias`, and scales may be negative. Embeddings are stored the same way. Source:
 * ml-explore/mlx, mlx/ops.cpp; mlx_lm/utils.py. 1 bit: mlx-vlm.
 */
export const mlx: ForeignContainer = {
  find(checkpoint) {
    const settings = settingsOf(checkpoint.config);
    if (!settings) return null;
    const { mode = "affine" } = settings;
    if (mode !== "affine") refuseSetting("mode", mode, "affine is read; take the original");
    const names = modulesWith(checkpoint, ".scales");
    const { quantization: _, quantization_config: __, ...config } = checkpoint.config;
    const modules = names.map((name) => moduleOf(checkpoint, settings, name));
    return { title: "MLX affine", modules, config, notices: [] };
  },
};

const allBits = [1, 2, 3, 4, 5, 6, 8];
const allGroups = [32, 64, 128];

/** `quantization`, which may also stand under the name `quantization_config`. */
function settingsOf({ quantization, quantization_config: other }: JsonRecord): JsonRecord | null {
  const isOwn = (value: unknown): value is JsonRecord =>
    isJsonRecord(value) && value.quant_method === undefined && value.group_size !== undefined;
  if (isOwn(quantization) && isJsonRecord(other)) {
    for (const field of ["bits", "group_size"]) {
      if (!isOwn(other) || other[field] === quantization[field]) continue;
      throw new FormatError(
        `config.json: \`${field}\` is ${JSON.stringify(quantization[field])} in quantization, ` +
          `${JSON.stringify(other[field])} in quantization_config`,
      );
    }
  }
  if (isOwn(quantization)) return quantization;
  return isOwn(other) ? other : null;
}

function moduleOf(checkpoint: Checkpoint, settings: JsonRecord, name: string): ForeignModule {
  const tensors = ["weight", "scales", "biases"].map((part) => `${name}.${part}`);
  return { name, tensors, open: () => openWeight(checkpoint, settings, name) };
}

async function openWeight(
  checkpoint: Checkpoint,
  settings: JsonRecord,
  name: string,
): Promise<ForeignWeight> {
  const { bits, groupSize } = sizesOf(settings, name);
  const [weight, scales, biases] = ["weight", "scales", "biases"].map((part) => `${name}.${part}`);
  const [outFeatures, words] = expectTensor(checkpoint, weight, ["u32"], [null, null]).shape;
  const inFeatures = (words * 32) / bits;
  const groups = inFeatures / groupSize;
  const { dtype } = expectTensor(checkpoint, scales, floatDTypes, [outFeatures, groups]);
  expectTensor(checkpoint, biases, floatDTypes, [outFeatures, groups]);
  const stream = await readBytes(checkpoint, weight);
  const stored = await readStoredScales(checkpoint, scales);
  const halves = stored instanceof Uint16Array ? stored : null;
  const rowBytes = 4 * words;
  const source = {
    outFeatures,
    inFeatures,
    groupSize,
    bits,
    scales: stored instanceof Uint16Array ? halvesToFloats(stored) : stored,
    halves,
    offsets: await readScales(checkpoint, biases),
    round: settings.zero_points === true ? roundings[dtype as keyof typeof roundings] : null,
    stream,
    readCodes: (row: number, into: Uint8Array) => readBitStream(stream, row * rowBytes, bits, into),
  };
  const held = holdAffine(source);
  return {
    outFeatures,
    inFeatures,
    scheme: held?.scheme ?? null,
    pack: async () => (held ?? noScheme(name)).pack(),
    decode: async () => decodeAffine(source),
  };
}

const roundings = {
  f16: (value: number): number => halfBitsToFloat(floatToHalfBits(value)),
  bf16: (value: number): number => bfloatBitsToFloat(floatToBfloatBits(value)),
  f32: Math.fround,
};

function noScheme(name: string): never {
  throw new FormatError(`no scheme holds ${quoteName(name)}`);
}

/** Bits and group size of a module: its own, or those of most. */
function sizesOf(settings: JsonRecord, name: string): { bits: number; groupSize: number } {
  const own = settings[name];
  if (own !== undefined && own !== true && !isJsonRecord(own)) {
    throw new FormatError(
      `config.json: quantization says that ${quoteName(name)} is not quantized, but there is ` +
        `${quoteName(`${name}.scales`)}`,
    );
  }
  const of = { ...settings, ...(isJsonRecord(own) && own) };
  const { mode = "affine" } = of;
  if (mode !== "affine") refuseSetting("mode", mode, "affine is read; take the original");
  const bits = expectOneOf(of.bits, "bits", allBits, name);
  return { bits, groupSize: expectOneOf(of.group_size, "group_size", allGroups, name) };
}

function expectOneOf(
  value: unknown,
  field: string,
  offered: readonly number[],
  name: string,
): number {
  if (typeof value === "number" && offered.includes(value)) return value;
  throw new FormatError(
    `config.json: quantization of ${quoteName(name)}: \`${field}\` is ${JSON.stringify(value)}, ` +
      `expected ${offered.join(", ")}`,
  );
}
