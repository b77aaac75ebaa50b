import { z } from "zod";
import { defineFamily } from "../architecture.ts";
import { biasesOf, decoderConfig, fullLayers } from "../decoder-config.ts";
import { llamaGguf } from "./llama.ts";

/**
 * MobileLLM (paper: arXiv 2402.14905), on which ParetoQ was measured: a deep and narrow Llama whose
 * head is the embedding where `share_embedding` says so. Blocks that run twice (`layer_sharing`)
 * are refused.
 */
export const mobilellm = defineFamily({
  modelType: "mobilellm",
  title: "MobileLLM",
  hasWindows: false,
  gguf: llamaGguf,
  own: z.object({ share_embedding: z.boolean().default(false) }),
  only: { layer_sharing: [false] },
  configure: (fields, own) =>
    decoderConfig(
      { ...fields, tie_word_embeddings: own.share_embedding || fields.tie_word_embeddings },
      { biases: biasesOf(fields), layers: fullLayers(fields) },
    ),
});
