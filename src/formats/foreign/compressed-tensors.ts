import { UnsupportedError } from "../../util/errors.ts";
import type { JsonRecord } from "../../util/json.ts";
import type { ForeignContainer } from "./foreign-container.ts";
import {
  findCompressedSettings,
  type LayerScheme,
  readCompressedSettings,
} from "./compressed-settings.ts";
import { openInts } from "./compressed-ints.ts";
import { openPacked } from "./compressed-packed.ts";
import { modulesWith } from "./module-tensors.ts";

/**
 * compressed-tensors, as llm-compressor writes it: `pack-quantized` with `weight_packed`, and
 * `int-quantized` and `naive-quantized` with I8 `weight`. Groups of the configuration name layers by
 * their names, by patterns (`re:`), or by their class. Source: vllm-project/compressed-tensors.
 */
export const compressedTensors: ForeignContainer = {
  find(checkpoint) {
    const own = findCompressedSettings(checkpoint.config);
    if (!own) return null;
    const { schemeOf } = readCompressedSettings(own.settings);
    const packed = modulesWith(checkpoint, ".weight_packed");
    const ints = modulesWith(checkpoint, ".weight_scale").filter(
      (name) =>
        checkpoint.has(`${name}.weight`) && checkpoint.info(`${name}.weight`).dtype === "i8",
    );
    const modules = [
      ...packed.map((name) => {
        const tensors = tensorsOf(name, "weight_packed");
        return { name, tensors, open: () => openPacked(checkpoint, name, expectScheme(name)) };
      }),
      ...ints.map((name) => {
        const tensors = tensorsOf(name, "weight");
        return { name, tensors, open: () => openInts(checkpoint, name, expectScheme(name)) };
      }),
    ];
    return { title: "compressed-tensors", modules, config: own.config, notices: [] };

    function tensorsOf(name: string, codes: string): string[] {
      const beside = [
        "weight_zero_point",
        "weight_shape",
        "weight_g_idx",
        "input_scale",
        "input_zero_point",
      ];
      const optional = beside
        .map((part) => `${name}.${part}`)
        .filter((each) => checkpoint.has(each));
      const needed = [codes, "weight_scale"].map((part) => `${name}.${part}`);
      for (const each of needed) checkpoint.info(each);
      return [...needed, ...optional];
    }

    function expectScheme(name: string): LayerScheme {
      const found = schemeOf(name);
      if (found) return found;
      throw noGroup(name, own?.settings ?? {});
    }
  },
};

function noGroup(name: string, { format }: JsonRecord): UnsupportedError {
  return new UnsupportedError(
    `quantization_config: no group of \`config_groups\` has ${name}, whose weight is packed`,
    { hint: "config.json and the weights belong to different checkpoints", value: format },
  );
}
