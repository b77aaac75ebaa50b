import { FormatError } from "../../util/errors.ts";
import { sum } from "../../util/sums.ts";
import type { Architecture } from "../architecture.ts";
import { type Composite, namings } from "../composite.ts";
import type { DecoderFields } from "../decoder-fields.ts";
import { qwen2 } from "./qwen2.ts";

/**
 * The language model of Qwen2-VL: Qwen2, of which each pair of channels is rotated by one of three
 * positions: time, row, column (`mrope_section`). In a text all three are the same, so that it is
 * the usual rotation; images, in which they differ, are not computed.
 */
const language: Architecture = {
  ...qwen2,
  modelType: "qwen2_vl_text",
  gguf: {
    architecture: "qwen2vl",
    className: "Qwen2VLForConditionalGeneration",
    permuted: false,
    sectioned: true,
    wholeHeads: true,
  },
  sizes: {
    vocab_size: 152_064,
    hidden_size: 8192,
    intermediate_size: 29_568,
    num_hidden_layers: 80,
    num_attention_heads: 64,
    num_key_value_heads: 8,
    rms_norm_eps: 1e-5,
    rope_theta: 1_000_000,
  },
  configure(fields) {
    const usual = {
      ...fields,
      rope_scaling: withoutSections(fields.rope_scaling),
      rope_parameters: withoutSections(fields.rope_parameters),
    };
    const config = qwen2.configure(usual);
    const sections = readSections(fields, config.headDim);
    return { ...config, ...(sections && { positionSections: sections }) };
  },
};

/** A rotation as it is where all positions are the same. */
function withoutSections(rope: DecoderFields["rope_scaling"]): DecoderFields["rope_scaling"] {
  if (!rope) return rope;
  const { mrope_section: _, ...usual } = rope;
  const isSectioned = (rope.rope_type ?? rope.type) === "mrope";
  return { ...usual, ...(isSectioned && { rope_type: "default" }) };
}

/** What transformers takes where no sections are stated. */
const usualSections: readonly number[] = [16, 24, 24];

/**
 * Reads how many pairs of a head are rotated by each position; undefined where none are stated and
 * the usual ones are of heads of another width.
 * @throws FormatError when the sections are not those of the pairs of a head
 */
function readSections(fields: DecoderFields, headDim: number): readonly number[] | undefined {
  for (const name of ["rope_scaling", "rope_parameters"] as const) {
    const sections: unknown = fields[name]?.mrope_section;
    if (sections === undefined) continue;
    if (isSections(sections) && sum(sections) === headDim / 2) return sections;
    throw new FormatError(
      `config.json: expected mrope_section in ${name} to be 3 counts that make up the ` +
        `${headDim / 2} pairs of a head, got ${JSON.stringify(sections)}`,
    );
  }
  return sum(usualSections) === headDim / 2 ? usualSections : undefined;
}

function isSections(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length === 3 && value.every((n) => Number.isInteger(n));
}

/** Qwen2-VL: Qwen2 with a tower of its own (paper: arXiv 2409.12191). */
export const qwen2Vl: Composite = {
  modelType: "qwen2_vl",
  title: "Qwen2-VL",
  languages: [language],
  flat: true,
  namings: [namings.inner, namings.plain],
  others: ["visual"],
};

/** Qwen2.5-VL: another tower, the same language model (paper: arXiv 2502.13923). */
export const qwen25Vl: Composite = {
  ...qwen2Vl,
  modelType: "qwen2_5_vl",
  title: "Qwen2.5-VL",
  languages: [{ ...language, modelType: "qwen2_5_vl_text" }],
};
