import { FormatError } from "../../util/errors.ts";
import type { Architecture } from "../architecture.ts";
import { biasesOf, decoderConfig } from "../decoder-config.ts";
import { layerWindows } from "../layer-windows.ts";

/**
 * SmolLM3: some blocks see no positions (NoPE). In `no_rope_layers` a 1 means that the block *is*
 * rotated; without it, every `no_rope_layer_interval`-th block is not. `use_sliding_window` lets the
 * others slide; `layer_types` do without it, as they do with the attention that transformers uses
 * unless it is told otherwise.
 */
export const smollm3: Architecture = {
  modelType: "smollm3",
  title: "SmolLM3",
  hasWindows: true,
  gguf: { architecture: "smollm3", permuted: true },
  configure(fields) {
    const flags = fields.no_rope_layers;
    if (flags && flags.length < fields.num_hidden_layers) {
      throw new FormatError(
        `config.json: expected ${fields.num_hidden_layers} no_rope_layers, got ${flags.length}`,
      );
    }
    const interval = fields.no_rope_layer_interval ?? 4;
    const rotated = (index: number) => (flags ? flags[index] !== 0 : (index + 1) % interval !== 0);
    const windows = layerWindows(fields, {
      window: fields.sliding_window ?? null,
      slides: (index) => fields.use_sliding_window && !rotated(index),
    });
    return decoderConfig(fields, {
      biases: biasesOf(fields),
      layers: windows.map((window, index) => ({ rope: rotated(index), window })),
      defaults: {
        kvHeads: 4,
        contextLength: 32_768,
        ropeTheta: 2_000_000,
        tiedEmbeddings: true,
      },
    });
  },
};
