import { type GgmlType, ggmlTypeNamed } from "../../../formats/gguf/gguf-types.ts";
import type { DecoderConfig } from "../../../models/decoder-config.ts";
import { blockFormats, findBlockFormat } from "../../../quant/blocks/index.ts";
import { fittingType as fittingName, mixtureType } from "../../../quant/mixture-type.ts";
import { findMixture, type MixedModel, type Mixture, mixtures } from "../../../quant/mixtures.ts";
import { UsageError } from "../../../util/errors.ts";
import { suggestName } from "../../../util/nearest.ts";
import type { ModelTensor } from "./list-tensors.ts";

/** What was asked for: which type a matrix should have; null leaves it as it is. */
export interface TypeRule {
  /** As it was written. */
  readonly name: string;
  /** Whether float matrices beside packed ones stay as they are. */
  readonly keepsFloats: boolean;
  typeOf(tensor: ModelTensor): GgmlType | null;
}

/** Types that are no blocks. */
export const floatTypes = ["f32", "f16", "bf16"];

/**
 * Reads a type: `f32`, `f16` and `bf16` are for all matrices, a type of blocks (`q4_k`) is for the
 * linears of the blocks and leaves embedding and head as they are, a mixture by the name that
 * llama-quantize gives it (`Q4_K_M`, `Q2_K`) decides for all matrices.
 * @throws UsageError for a type that there is not, or that cannot be written
 */
export function parseTypeRule(text: string, config: DecoderConfig): TypeRule {
  const mixture = findMixture(text);
  if (mixture) return mixtureRule(mixture, config);
  const type = ggmlTypeNamed(text.toLowerCase());
  if (type && floatTypes.includes(type.name)) {
    return { name: text, keepsFloats: false, typeOf: () => type };
  }
  if (type?.kind === "blocks") {
    const typeOf: TypeRule["typeOf"] = ({ role }) => (role === "linear" ? type : null);
    return { name: text, keepsFloats: true, typeOf };
  }
  const types = [...floatTypes, ...blockFormats.map(({ id }) => id)];
  const options = [...types, ...mixtures.map(({ name }) => name)];
  throw new UsageError(`there is no type ${text} to write weights in`, {
    hint: `${suggestName(text, options, "")} types and mixtures: ${options.join(", ")}`.trim(),
    field: "type",
    value: text,
  });
}

function mixtureRule(mixture: Mixture, config: DecoderConfig): TypeRule {
  const model: MixedModel = {
    blocks: config.layers.length,
    heads: config.heads,
    kvHeads: config.kvHeads,
    experts: config.experts?.count ?? 1,
    tied: config.tiedEmbeddings,
    importance: false,
  };
  return {
    name: mixture.name,
    keepsFloats: false,
    typeOf: ({ name, shape }) => {
      const weight = { name: name.replace(/\.weight$/, ""), columns: shape.at(-1) ?? 1 };
      const { type, insteadOf } = mixtureType(mixture, weight, model);
      return ggmlTypeNamed(insteadOf ?? type) ?? null;
    },
  };
}

/** Returns the type itself, or what llama.cpp takes for rows that are no whole blocks of it. */
export function fittingType(type: GgmlType, columns: number): GgmlType {
  const format = findBlockFormat(type.name);
  if (!format) return type;
  return ggmlTypeNamed(fittingName(format.id, columns)) ?? type;
}
