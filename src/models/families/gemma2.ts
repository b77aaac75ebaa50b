import { z } from "zod";
import { defineFamily, type GgufKey, type GgufTraits } from "../architecture.ts";
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

/** The cap of logits in GGUF files. */
export const finalCapKey: GgufKey = {
  key: "final_logit_softcapping",
  field: "final_logit_softcapping",
  of: ({ caps }) => caps.logits,
};

/**
 * What llama.cpp computes without a key: scores are scaled by the width of a head, in the model of
 * 27B, which it knows by its blocks, by the share of a head in the hidden size.
 */
export function gemmaMeans(blocksOf27B: number): NonNullable<GgufTraits["means"]> {
  return ({ blocks, hiddenSize, heads, headDim }) => ({
    hidden_act: "gelu_pytorch_tanh",
    query_pre_attn_scalar: blocks === blocksOf27B ? Math.floor(hiddenSize / heads) : headDim,
  });
}

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
  gguf: {
    architecture: "gemma2",
    className: "Gemma2ForCausalLM",
    permuted: false,
    means: gemmaMeans(46),
    keys: [
      { key: "attn_logit_softcapping", field: "attn_logit_softcapping", of: (c) => c.caps.scores },
      finalCapKey,
    ],
    windows: { every: 2, usual: 4096 },
    tied: true,
    biases: false,
  },
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
