import { type Composite, namings } from "../composite.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { qwen2 } from "./qwen2.ts";

/**
 * LLaVA 1.5: a language model that reads what two layers make of a CLIP tower's output (paper: arXiv
 * 2310.03744).
 */
export const llava: Composite = {
  modelType: "llava",
  title: "LLaVA",
  languages: [llama, mistral, qwen2],
  namings: [namings.inner, namings.wrapped],
  others: ["vision_tower", "multi_modal_projector"],
};

/** LLaVA-NeXT (1.6): LLaVA that sees an image in several pieces, with a mark between their rows. */
export const llavaNext: Composite = {
  ...llava,
  modelType: "llava_next",
  title: "LLaVA-NeXT",
  others: [...llava.others, "image_newline"],
};
