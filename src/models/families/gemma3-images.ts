import { type Composite, namings } from "../composite.ts";
import { expectValues } from "../decoder-fields.ts";
import { gemma3 } from "./gemma3.ts";

/**
 * Gemma 3 with images: its text model, which reads what a SigLIP tower makes of them. In transformers
 * the whole has no cap on logits, whatever the text model's fields say.
 */
export const gemma3Images: Composite = {
  modelType: "gemma3",
  title: "Gemma 3 with images",
  languages: [
    {
      ...gemma3,
      configure(fields) {
        expectValues(fields, { final_logit_softcapping: [null] });
        return gemma3.configure(fields);
      },
    },
  ],
  namings: [namings.inner, namings.wrapped],
  others: ["vision_tower", "multi_modal_projector"],
};
