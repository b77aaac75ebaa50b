import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { decoderConfig } from "../decoder-config.ts";
import { ropeFields } from "../decoder-fields.ts";
import { headNormNames } from "../decoder-names.ts";
import { layerWindows } from "../layer-windows.ts";
import { finalCapKey, gemma2Fields, gemma2Names, gemma2Traits, gemmaMeans } from "./gemma2.ts";

/**
 * The text model of Gemma 3: Gemma 2 with norms of queries and keys in place of caps. Every sixth
 * block sees all tokens; the others slide, and are rotated by wavelengths of a base of their own
 * (paper: arXiv 2503.19786).
 */
export const gemma3 = defineFamily({
  modelType: "gemma3_text",
  title: "Gemma 3",
  hasWindows: true,
  gguf: {
    architecture: "gemma3",
    className: "Gemma3ForCausalLM",
    permuted: false,
    means: gemmaMeans(62),
    keys: [
      finalCapKey,
      {
        key: "rope.freq_base_swa",
        field: "rope_local_base_freq",
        of: ({ layers }) => layers.find(({ window }) => window !== null)?.rope?.theta ?? null,
      },
    ],
    windows: { every: 6, usual: null },
    biases: false,
  },
  sizes: {
    vocab_size: 262_208,
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 26,
    num_attention_heads: 8,
    num_key_value_heads: 4,
  },
  aliases: { hidden_act: "hidden_activation" },
  own: gemma2Fields.extend({
    sliding_window_pattern: z.int().positive().optional(),
    _sliding_window_pattern: z.int().positive().optional(),
    rope_local_base_freq: z.number().positive().default(10_000),
    rope_parameters: z
      .strictObject({
        full_attention: ropeFields.nullish(),
        sliding_attention: ropeFields.nullish(),
      })
      .nullish(),
  }),
  only: { use_bidirectional_attention: [false, null], attn_logit_softcapping: [null] },
  configure(fields, own) {
    const { sliding_window: window = 4096, rope_theta: theta = 1_000_000 } = fields;
    const pattern = own.sliding_window_pattern ?? own._sliding_window_pattern ?? 6;
    const slides = (index: number): boolean => (index + 1) % pattern !== 0;
    const windows = layerWindows(fields, { window, slides });
    const { full_attention: full, sliding_attention: sliding } = own.rope_parameters ?? {};
    const everywhere = { rope_theta: theta, rope_parameters: full };
    const nearby = {
      rope_theta: own.rope_local_base_freq,
      rope_parameters: sliding,
      rope_scaling: null,
    };
    const layers = windows.map((window, index) => {
      const isFull = fields.layer_types ? window === null : !slides(index);
      return { rope: isFull ? everywhere : nearby, window };
    });
    const traits = gemma2Traits(fields, own, layers);
    const norms = { ...gemma2Names.norms, ...headNormNames };
    return decoderConfig(fields, {
      ...traits,
      names: { ...gemma2Names, norms },
      defaults: { ...traits.defaults, contextLength: 131_072 },
    });
  },
});
