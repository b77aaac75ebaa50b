import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { biasesOf, decoderConfig, fullLayers } from "../decoder-config.ts";
import { type DecoderNames, llamaNames } from "../decoder-names.ts";

const { gate: _, ...slots } = llamaNames.slots;
const names: DecoderNames = { ...llamaNames, slots };

/**
 * Nemotron-4 and Minitron (papers: arXiv 2402.16819, 2407.14679): LayerNorms of 1 + w, an MLP without
 * a gate that squares what a ReLU lets through, and half of each head rotated.
 */
export const nemotron = defineFamily({
  modelType: "nemotron",
  title: "Nemotron",
  hasWindows: false,
  gguf: {
    architecture: "nemotron",
    permuted: false,
    layerNormEps: "norm_eps",
    means: () => ({ hidden_act: "relu2" }),
    partlyRotated: true,
    tied: false,
    wholeHeads: true,
  },
  own: z.object({ norm_eps: z.number().nonnegative().default(1e-5) }),
  configure: (fields, own) =>
    decoderConfig(fields, {
      names,
      norm: { kind: "layer", bias: true, offset: 1, eps: own.norm_eps },
      biases: biasesOf(fields),
      layers: fullLayers(fields),
      defaults: {
        rotatedShare: 0.5,
        activation: "relu2",
        contextLength: 4096,
        intermediateSize: 24_576,
      },
    }),
});
