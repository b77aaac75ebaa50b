import { UnsupportedError } from "../../util/errors.ts";
import type { Architecture, GgufTraits } from "../architecture.ts";
import { biasesOf, decoderConfig, expectWholeHeads, fullLayers } from "../decoder-config.ts";
import { checkLayerTypes } from "../layer-windows.ts";

/** What GGUF files of Llama hold; those of other families have the same name. */
export const llamaGguf: GgufTraits = {
  architecture: "llama",
  permuted: true,
  scalings: ["linear", "yarn", "llama3", "longrope"],
};

/**
 * Llama 1, 2 and 3.x, and what took over their shape: SmolLM, SmolLM2, TinyLlama. It has no windows:
 * a `sliding_window` means nothing, and blocks that `layer_types` let slide are refused.
 */
export const llama: Architecture = {
  modelType: "llama",
  title: "Llama",
  hasWindows: false,
  gguf: llamaGguf,
  sizes: {
    vocab_size: 32_000,
    hidden_size: 4096,
    intermediate_size: 11_008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
  },
  configure(fields) {
    expectWholeHeads(fields);
    expectFullAttention(checkLayerTypes(fields));
    return decoderConfig(fields, { biases: biasesOf(fields), layers: fullLayers(fields) });
  },
};

/** @throws UnsupportedError where `layer_types` ask for what no program gives a Llama in all passes */
function expectFullAttention(types: readonly string[] | null): void {
  const sliding = types?.indexOf("sliding_attention") ?? -1;
  if (sliding === -1) return;
  throw new UnsupportedError(
    `config.json: layer_types[${sliding}] slides, but a llama has no sliding blocks`,
    { hint: 'if the model was trained with a window, its model_type is "mistral"' },
  );
}
