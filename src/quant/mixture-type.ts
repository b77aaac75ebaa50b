import type { BlockFormatId } from "./blocks/block-format.ts";
import type { MixedModel, Mixture, MixtureType } from "./mixtures.ts";

/** A weight as GGUF files name its module: `blk.3.attn_v`, `token_embd`, `output`. */
export interface MixedWeight {
  readonly name: string;
  /** Columns of a row. */
  readonly columns: number;
}

/** A type, and the one that the mixture asks for where rows are no whole blocks of it. */
export interface ChosenType {
  readonly type: MixtureType;
  readonly insteadOf: BlockFormatId | null;
}

const plainTypes = ["f16", "bf16"];
const narrowBlock = 32;
const blockColumns: Readonly<Record<string, number>> = { q1_0: 128, q2_0: 64 };
const superblocks = /_k$|^tq/;

/** Types with blocks of 32 columns in the place of those whose blocks are longer. */
const narrower: Readonly<Record<string, BlockFormatId>> = {
  q1_0: "q4_0",
  q2_0: "q4_0",
  q2_k: "q4_0",
  q3_k: "q4_0",
  tq1_0: "q4_0",
  tq2_0: "q4_0",
  q4_k: "q5_0",
  q5_k: "q5_1",
  q6_k: "q8_0",
};

/**
 * Returns the type of a weight in a mixture: what llama-quantize gives it. Where the rows are no
 * whole blocks of that, a type with shorter blocks, or float16.
 */
export function mixtureType(mixture: Mixture, weight: MixedWeight, model: MixedModel): ChosenType {
  const asked = askedType(mixture, weight, model);
  const type = fittingType(asked, weight.columns);
  return { type, insteadOf: type === asked || isPlain(asked) ? null : asked };
}

/**
 * Returns the type itself, or what llama-quantize takes for rows that are no whole blocks of it: a
 * type with shorter blocks, or float16.
 */
export function fittingType(asked: MixtureType, columns: number): MixtureType {
  if (isPlain(asked) || columns % columnsOf(asked) === 0) return asked;
  return columns % narrowBlock === 0 ? (narrower[asked] ?? "f16") : "f16";
}

/** All block formats that a mixture may give to a linear layer whose rows are whole blocks. */
export function mixtureFormats(mixture: Mixture, model: MixedModel): BlockFormatId[] {
  const names = ["attn_q", "attn_k", "attn_v", "attn_qkv", "attn_output", "ffn_down"];
  const blocks = Array.from({ length: model.blocks }, (_, block) => block);
  const types = names.flatMap((name) =>
    blocks.map((block) => askedType(mixture, { name: `blk.${block}.${name}`, columns: 0 }, model)),
  );
  return [...new Set(types)].filter((type) => !isPlain(type));
}

function askedType(mixture: Mixture, { name, columns }: MixedWeight, model: MixedModel) {
  const { usual } = mixture;
  if (isPlain(usual)) return usual;
  if (name === "output" || (name === "token_embd" && model.tied)) return headType(usual, columns);
  if (name === "token_embd") return mixture.embedding ?? usual;
  const [, block = "0", slot = ""] = /^blk\.(\d+)\.(.+)$/.exec(name) ?? [];
  return slotType(mixture, slot, Number(block), model) ?? usual;
}

function headType(usual: BlockFormatId, columns: number): BlockFormatId {
  return usual === "q8_0" || columns % columnsOf(usual) !== 0 ? "q8_0" : "q6_k";
}

function slotType(
  mixture: Mixture,
  slot: string,
  block: number,
  model: MixedModel,
): BlockFormatId | null {
  const ofEight = model.experts === 8;
  switch (slot) {
    case "attn_v":
      return ofEight ? "q8_0" : valuesType(mixture, block, model);
    case "attn_qkv":
      return mixture.joined ?? null;
    case "attn_k":
      return ofEight ? "q8_0" : null;
    case "attn_output": {
      const rule = ofEight ? mixture.attentionOutputOfEight : mixture.attentionOutput;
      return rule?.(block, model) ?? null;
    }
    case "ffn_down":
    case "ffn_down_exps":
    case "ffn_down_shexp":
      return mixture.down?.(block, model) ?? null;
    default:
      return null;
  }
}

/** Models of 80 blocks whose heads share values have few of these weights. */
function valuesType(mixture: Mixture, block: number, model: MixedModel): BlockFormatId | null {
  const type = mixture.values?.(block, model) ?? null;
  const isLarge = model.blocks === 80 && model.heads !== model.kvHeads;
  return isLarge && /^q[34]_k$/.test(type ?? mixture.usual) ? "q5_k" : type;
}

function isPlain(type: MixtureType): type is Exclude<MixtureType, BlockFormatId> {
  return plainTypes.includes(type);
}

function columnsOf(type: BlockFormatId): number {
  return blockColumns[type] ?? (superblocks.test(type) ? 256 : narrowBlock);
}
