import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { decoderConfig, expectWholeHeads } from "../decoder-config.ts";
import { type DecoderNames, llamaNames } from "../decoder-names.ts";
import { layerWindows } from "../layer-windows.ts";

const { gate: _, ...slots } = llamaNames.slots;
const names: DecoderNames = {
  ...llamaNames,
  slots: { ...slots, up: "mlp.c_fc", down: "mlp.c_proj" },
};

/**
 * StarCoder 2 (paper: arXiv 2402.19173): a Mistral with LayerNorm, biases, and an MLP without a gate.
 */
export const starcoder2 = defineFamily({
  modelType: "starcoder2",
  title: "StarCoder 2",
  hasWindows: true,
  gguf: {
    architecture: "starcoder2",
    className: "Starcoder2ForCausalLM",
    permuted: false,
    layerNormEps: "norm_epsilon",
    means: () => ({ hidden_act: "gelu_pytorch_tanh" }),
    biases: true,
    wholeHeads: true,
  },
  own: z.object({
    norm_epsilon: z.number().nonnegative().default(1e-5),
    use_bias: z.boolean().default(true),
  }),
  only: { mlp_type: ["default"], norm_type: ["layer_norm"], scale_attn_weights: [true] },
  ignores: [
    "activation_function",
    "attention_softmax_in_fp32",
    "scale_attention_softmax_in_fp32",
    "embedding_dropout",
    "residual_dropout",
  ],
  configure(fields, { norm_epsilon: eps, use_bias: bias }) {
    expectWholeHeads(fields);
    const window = fields.sliding_window ?? null;
    const stated = { ...fields, layer_types: null };
    const windows = layerWindows(stated, { window, slides: () => true });
    return decoderConfig(fields, {
      names,
      norm: { kind: "layer", bias: true, eps },
      biases: { qkv: bias, output: bias, mlp: bias },
      layers: windows.map((window) => ({ rope: true, window })),
      defaults: {
        kvHeads: 2,
        contextLength: 4096,
        tiedEmbeddings: true,
        activation: "gelu_pytorch_tanh",
      },
    });
  },
});
