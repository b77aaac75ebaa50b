import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { decoderConfig, type LayerTraits } from "../decoder-config.ts";
import type { DecoderFields } from "../decoder-fields.ts";
import { type DecoderNames, llamaNames } from "../decoder-names.ts";
import { layerWindows } from "../layer-windows.ts";
import { gemmaDefaults, gemmaTraits } from "./gemma.ts";

/** Norms before and behind attention and MLP, from Gemma 2 on. */
export const gemma2Names: DecoderNames = {
  ...llamaNames,
  norms: {
    attention: "input_layernorm",
    attentionOutput: "post_attention_layernorm",
    mlp: "pre_feedforward_layernorm",
    mlpOutput: "post_feedforward_layernorm",
  },
};

const cap = z.number().positive().nullish();

/** Fields of Gemma from 2 on. */
export const gemma2Fields = z.object({
  query_pre_attn_scalar: z.number().positive().default(256),
  final_logit_softcapping: cap,
});

/** Traits of Gemma from 2 on. */
export function gemma2Traits(
  fields: DecoderFields,
  own: z.output<typeof gemma2Fields>,
  layers: readonly LayerTraits[],
) {
  return {
    ...gemmaTraits(fields),
    names: gemma2Names,
    attentionScale: own.query_pre_attn_scalar ** -0.5,
    caps: { logits: own.final_logit_softcapping ?? null },
    layers,
    defaults: { ...gemmaDefaults, kvHeads: 4 },
  };
}

/**
 * Gemma 2: norms on both sides of attention and MLP, capped scores and logits, every other block
 * slides, the first one does (paper: arXiv 2408.00118).
 */
export const gemma2 = defineFamily({
  modelType: "gemma2",
  title: "Gemma 2",
  hasWindows: true,
  gguf: null,
  aliases: { hidden_act: "hidden_activation" },
  own: gemma2Fields.extend({
    attn_logit_softcapping: cap.default(50),
    final_logit_softcapping: cap.default(30),
  }),
  only: { use_bidirectional_attention: [false, null] },
  configure(fields, own) {
    const window = fields.sliding_window === undefined ? 4096 : fields.sliding_window;
    const windows = layerWindows(fields, { window, slides: (index) => index % 2 === 0 });
    const layers = windows.map((window) => ({ rope: true, window }));
    const traits = gemma2Traits(fields, own, layers);
    const caps = { ...traits.caps, scores: own.attn_logit_softcapping ?? null };
    return decoderConfig(fields, { ...traits, caps });
  },
});
