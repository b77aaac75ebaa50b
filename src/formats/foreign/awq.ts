import { z } from "zod";
import { FormatError } from "../../util/errors.ts";
import type { JsonRecord } from "../../util/json.ts";
import { parseValue } from "../../util/parse-value.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { quoteName } from "../wording.ts";
import { type Squares, turnNibbles } from "./code-words.ts";
import { transposeInto } from "./transpose.ts";
import type { ForeignContainer, ForeignModule, ForeignWeight } from "./foreign-container.ts";
import { holdIntegers } from "./hold-integers.ts";
import { openLlmAwq } from "./llm-awq.ts";
import {
  expectTensor,
  floatDTypes,
  modulesWith,
  readStoredScales,
  turnScales,
  refuseSetting,
} from "./module-tensors.ts";
import { ownConfig } from "./own-config.ts";

/**
 * AWQ, version gemm: `qweight` I32 `[in, out/8]`, eight outputs a word, of which nibble i is output
 * `awqOrder[i]`; `qzeros` I32 `[groups, out/8]` in the same order; `scales [groups, out]`. 4 bits.
 * Source: casper-hansen/AutoAWQ, modules/linear/gemm.py. The files of llm-awq (version gemv_fast)
 * are told by `qweight` of I16.
 */
export const awq: ForeignContainer = {
  async find(checkpoint) {
    const own = await ownConfig(checkpoint, "awq", "quant_config.json", olderNames);
    if (!own) return null;
    const groupSize = readSettings(own.settings);
    const names = modulesWith(checkpoint, ".qweight");
    const modules = names.map((name) => moduleOf(checkpoint, name, groupSize));
    return { title: "AWQ", modules, config: own.config, notices: [] };
  },
};

const olderNames = { w_bit: "bits", q_group_size: "group_size" };

const schema = z.looseObject({
  bits: z.literal(4),
  group_size: z
    .number()
    .int()
    .refine((size) => size === -1 || size >= 1, "expected -1, or a number of columns"),
  version: z.string().default("gemm"),
});

/** @returns columns of a group; null: one group a row */
function readSettings(json: JsonRecord): number | null {
  const { group_size: size, version } = parseValue(
    schema,
    json,
    ({ text, hint }) => new FormatError(`quantization_config: ${text}`, { hint }),
  );
  if (!/^(?:gemm|gemv_fast|llm-awq|marlin)$/i.test(version) || /^marlin$/i.test(version)) {
    refuseSetting("version", version, "gemm, and gemv_fast of llm-awq are read");
  }
  return size === -1 ? null : size;
}

function moduleOf(checkpoint: Checkpoint, name: string, groupSize: number | null): ForeignModule {
  const isNative = checkpoint.info(`${name}.qweight`).dtype === "i16";
  const zeros = checkpoint.has(`${name}.scaled_zeros`) ? "scaled_zeros" : "qzeros";
  const tensors = ["qweight", zeros, "scales"].map((part) => `${name}.${part}`);
  for (const each of tensors) checkpoint.info(each);
  const open = isNative
    ? () => openLlmAwq(checkpoint, name, zeros, groupSize)
    : () => openGemm(checkpoint, name, groupSize);
  return { name, tensors, open };
}

async function openGemm(
  checkpoint: Checkpoint,
  name: string,
  groupSize: number | null,
): Promise<ForeignWeight> {
  const [qweight, qzeros, scales] = ["qweight", "qzeros", "scales"].map(
    (each) => `${name}.${each}`,
  );
  const [inFeatures, words] = expectTensor(checkpoint, qweight, ["i32"], [null, null]).shape;
  const outFeatures = 8 * words;
  const groups = inFeatures / (groupSize ?? inFeatures);
  if (!Number.isInteger(groups)) {
    throw new FormatError(
      `tensor ${quoteName(qweight)}: ${inFeatures} columns are no whole groups of ${groupSize} ` +
        "(`group_size`)",
    );
  }
  expectTensor(checkpoint, scales, floatDTypes, [groups, outFeatures]);
  expectTensor(checkpoint, qzeros, ["i32"], [groups, words]);
  return holdIntegers({
    outFeatures,
    inFeatures,
    groupSize: groups === 1 ? null : groupSize,
    bits: 4,
    groupOf: null,
    storedScales: () => readStoredScales(checkpoint, scales),
    arrange: (stored) => turnScales(stored, groups, outFeatures),
    zeros: async () => {
      const stored = unpackNibbles(await checkpoint.viewAs(qzeros, "i32"));
      return transposeInto(stored, groups, outFeatures, new Uint8Array(stored.length));
    },
    rows: async () => rowsOf(await checkpoint.viewAs(qweight, "i32"), inFeatures, words),
  });
}

/** The output of each nibble of a word. */
export const awqOrder = [0, 2, 4, 6, 1, 3, 5, 7] as const;

/** Reads codes of words, eight outputs each: those of `awqOrder`, four of them a word. */
function unpackNibbles(words: Int32Array): Uint8Array {
  const codes = new Uint32Array(2 * words.length);
  for (let i = 0, at = 0; i < words.length; i++, at += 2) {
    const word = words[i];
    const low = (word & 0xf) | ((word >>> 8) & 0xf00);
    const high = ((word >>> 8) & 0xf) | ((word >>> 16) & 0xf00);
    codes[at] = low | ((word << 12) & 0xf0000) | ((word << 4) & 0xf000000);
    codes[at + 1] = high | ((word << 4) & 0xf0000) | ((word >>> 4) & 0xf000000);
  }
  return new Uint8Array(codes.buffer);
}

/** Squares of eight outputs and eight columns where rows are outputs, `wide` words each. */
export function outputSquares(wide: number): Squares {
  return { outer: 8 * wide, inner: 1, lanes: awqOrder.map((output) => output * wide) };
}

/** The same squares where rows are columns, of `words` words each. */
export function columnSquares(words: number): Squares {
  const lanes = Array.from({ length: 8 }, (_, column) => column * words);
  return { outer: 1, inner: 8 * words, lanes };
}

/** Rows of outputs, a stream of nibbles each, of words `[columns, outputs/8]`. */
function rowsOf(stored: Int32Array, columns: number, words: number): Uint8Array {
  const wide = Math.ceil(columns / 8);
  const out = new Uint32Array(8 * words * wide);
  const isWhole = columns % 8 === 0;
  const from = isWhole
    ? new Uint32Array(stored.buffer, stored.byteOffset, stored.length)
    : new Uint32Array(8 * words * wide);
  if (!isWhole) from.set(stored);
  turnNibbles(from, columnSquares(words), out, outputSquares(wide), [words, wide]);
  return new Uint8Array(out.buffer);
}
