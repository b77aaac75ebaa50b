import { FormatError } from "../../util/errors.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { quoteName } from "../wording.ts";
import { paddedWords, readWordRows, streamOfPadded, streamWords } from "./code-words.ts";
import { transposeInto, transposeWords } from "./transpose.ts";
import type { ForeignContainer, ForeignModule, ForeignWeight } from "./foreign-container.ts";
import { type GptqSettings, readGptqSettings } from "./gptq-settings.ts";
import { holdIntegers } from "./hold-integers.ts";
import {
  expectTensor,
  floatDTypes,
  modulesWith,
  readStoredScales,
  turnScales,
} from "./module-tensors.ts";
import { ownConfig } from "./own-config.ts";

/**
 * GPTQ: `qweight` I32 `[in·bits/32, out]`, the codes of an output one little-endian stream down its
 * column; `qzeros` I32 `[groups, out·bits/32]`, streams along the outputs; `scales [groups, out]`;
 * `g_idx` I32 `[in]`, the group of each column. Zero points are stored less 1, modulo 2^bits, unless
 * `checkpoint_format` is gptq_v2. Source: ModelCloud/GPTQModel, nn_modules/qlinear. EfficientQAT's own
 * files have no configuration, zero points as they are, and ten 3-bit codes a word (its
 * quantize/int_linear_real.py).
 */
export const gptq: ForeignContainer = {
  async find(checkpoint) {
    const names = modulesWith(checkpoint, ".qweight");
    const own = await ownConfig(checkpoint, "gptq", "quantize_config.json");
    if (own) {
      const settingsOf = readGptqSettings(own.settings);
      const modules = names.map((name) =>
        moduleOf(checkpoint, name, settingsOf(name) ?? leftOut(name)),
      );
      return { title: "GPTQ", modules, config: own.config, notices: [] };
    }
    if (checkpoint.config.quantization_config !== undefined) return null;
    const isPacked = (name: string): boolean =>
      ["qzeros", "scales"].every((part) => checkpoint.has(`${name}.${part}`));
    if (names.length === 0 || !names.every(isPacked)) return null;
    const modules = names.map((name) => moduleOf(checkpoint, name, shapesOf(checkpoint, name)));
    return { title: "EfficientQAT", modules, config: checkpoint.config, notices: [] };
  },
};

const parts = ["qweight", "qzeros", "scales", "g_idx"];

function moduleOf(checkpoint: Checkpoint, name: string, settings: GptqSettings): ForeignModule {
  const tensors = parts
    .map((part) => `${name}.${part}`)
    .filter((each) => !each.endsWith(".g_idx") || checkpoint.has(each));
  for (const each of tensors) checkpoint.info(each);
  return { name, tensors, open: () => openWeight(checkpoint, name, settings) };
}

function leftOut(name: string): never {
  throw new FormatError(
    `quantization_config: \`dynamic\` leaves ${quoteName(name)} out, but there is ` +
      quoteName(`${name}.qweight`),
  );
}

async function openWeight(
  checkpoint: Checkpoint,
  name: string,
  { bits, groupSize, descAct, ownZeros }: GptqSettings,
): Promise<ForeignWeight> {
  const [qweight, qzeros, scales] = parts.map((part) => `${name}.${part}`);
  const [rows, out] = expectTensor(checkpoint, qweight, ["i32"], [null, null]).shape;
  const order = await readOrder(checkpoint, name, descAct);
  const inFeatures = order?.length ?? Math.floor((rows * 32) / bits);
  const isPadded = rows !== streamWords(inFeatures, bits);
  if (isPadded && rows !== paddedWords(inFeatures, bits)) {
    throw new FormatError(
      `tensor ${quoteName(qweight)}: ${rows} rows of words are not those of ${inFeatures} codes of ` +
        `${bits} bits`,
      { hint: "`bits` of the quantization config does not belong to these weights" },
    );
  }
  const groups = groupSize === null ? 1 : Math.ceil(inFeatures / groupSize);
  expectTensor(checkpoint, scales, floatDTypes, [groups, out]);
  const words = isPadded ? paddedWords(out, bits) : streamWords(out, bits);
  expectTensor(checkpoint, qzeros, ["i32"], [groups, words]);
  const width = groups === 1 ? null : groupSize;
  return holdIntegers({
    outFeatures: out,
    inFeatures,
    groupSize: width,
    bits,
    groupOf: order && groupsOf(`${name}.g_idx`, order, width ?? inFeatures, groups),
    storedScales: () => readStoredScales(checkpoint, scales),
    arrange: (stored) => turnScales(stored, groups, out),
    zeros: async () => {
      const packed = await readWords(checkpoint, qzeros);
      const stored = readWordRows(packed, groups, out, { bits, isPadded });
      const added = ownZeros ? 0 : 1;
      const mask = 2 ** bits - 1;
      for (let i = 0; added > 0 && i < stored.length; i++) stored[i] = (stored[i] + added) & mask;
      return transposeInto(stored, groups, out, new Uint8Array(stored.length));
    },
    rows: async () => {
      const turned = transposeWords(await readWords(checkpoint, qweight), rows, out);
      return isPadded
        ? streamOfPadded(turned, out, inFeatures, bits)
        : new Uint8Array(turned.buffer);
    },
  });
}

async function readWords(checkpoint: Checkpoint, name: string): Promise<Uint32Array> {
  const { buffer, byteOffset, length } = await checkpoint.viewAs(name, "i32");
  return new Uint32Array(buffer, byteOffset, length);
}

async function readOrder(
  checkpoint: Checkpoint,
  name: string,
  isNeeded: boolean,
): Promise<Int32Array | null> {
  const gIdx = `${name}.g_idx`;
  if (!checkpoint.has(gIdx)) {
    if (!isNeeded) return null;
    throw new FormatError(`tensor ${quoteName(gIdx)} is missing, and \`desc_act\` is true`, {
      hint: "download the shards that are missing",
    });
  }
  expectTensor(checkpoint, gIdx, ["i32"], [null]);
  return checkpoint.viewAs(gIdx, "i32");
}

/** The group of each column; null where groups are runs of columns. */
function groupsOf(
  name: string,
  order: Int32Array,
  width: number,
  groups: number,
): Int32Array | null {
  const wrong = order.findIndex((group) => group < 0 || group >= groups);
  if (wrong >= 0) {
    throw new FormatError(
      `tensor ${quoteName(name)}: column ${wrong} is in the group ${order[wrong]} of ${groups}`,
    );
  }
  return order.every((group, i) => group === Math.floor(i / width)) ? null : order;
}

const allBits = [2, 3, 4, 8];

/**
 * Settings of a module as EfficientQAT writes it: bits that fit its shapes, whole codes in words.
 * @throws FormatError where none fit, or where there is no g_idx to tell the columns
 */
function shapesOf(checkpoint: Checkpoint, name: string): GptqSettings {
  const gIdx = `${name}.g_idx`;
  if (!checkpoint.has(gIdx)) throw noSettings(`tensor ${quoteName(gIdx)} is missing`);
  const [inFeatures] = expectTensor(checkpoint, gIdx, ["i32"], [null]).shape;
  const qweight = `${name}.qweight`;
  const [rows] = expectTensor(checkpoint, qweight, ["i32"], [null, null]).shape;
  const bits = allBits.find((each) => rows === paddedWords(inFeatures, each));
  if (bits === undefined) {
    throw noSettings(
      `tensor ${quoteName(qweight)}: ${rows} rows of words are those of ${inFeatures} codes of no ` +
        "bit-width",
    );
  }
  const [groups] = expectTensor(checkpoint, `${name}.scales`, floatDTypes, [null, null]).shape;
  const groupSize = groups === 1 ? null : Math.ceil(inFeatures / groups);
  return { bits, groupSize, descAct: false, ownZeros: true };
}

function noSettings(why: string): FormatError {
  return new FormatError(`${why}, and no \`quantization_config\` says how weights are packed`, {
    hint:
      "only EfficientQAT's files need none; GPTQ has quantize_config.json and AWQ " +
      "quant_config.json where config.json has no `quantization_config`",
  });
}
