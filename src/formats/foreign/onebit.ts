import { oneBit } from "../../quant/grids/one-bit.ts";
import { QTensor } from "../../quant/q-tensor.ts";
import { makeScheme } from "../../quant/scheme.ts";
import { FormatError } from "../../util/errors.ts";
import { floatsToHalves, halvesToFloats } from "../../util/half.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { quoteName } from "../wording.ts";
import type { ForeignContainer, ForeignWeight } from "./foreign-container.ts";
import { expectTensor, floatDTypes, modulesWith, readBytes, readScales } from "./module-tensors.ts";

/**
 * OneBit's own pack: `weight` I8 `[out, in/8]`, eight signs a byte with the first in the lowest bit,
 * a set bit is −1; `weight_scale [out]` and `input_factor [in]`. The products are normalised over the
 * outputs. Source: xuyuzhuang11/OneBit, models/bitnet.py.
 */
export const onebit: ForeignContainer = {
  find(checkpoint) {
    const names = modulesWith(checkpoint, ".input_factor").filter(
      (name) =>
        checkpoint.has(`${name}.weight`) && checkpoint.info(`${name}.weight`).dtype === "i8",
    );
    if (names.length === 0) return null;
    const modules = names.map((name) => ({
      name,
      tensors: ["weight", "weight_scale", "input_factor"].map((part) => `${name}.${part}`),
      open: () => openWeight(checkpoint, name),
    }));
    const { model_type: type } = checkpoint.config;
    // Its Llama has a name of its own and no other difference.
    const model = type === "bitllama" ? "llama" : type;
    return {
      title: "OneBit",
      modules,
      config: { ...checkpoint.config, model_type: model },
      notices: [],
    };
  },
};

const scheme = makeScheme(oneBit, null);

async function openWeight(checkpoint: Checkpoint, name: string): Promise<ForeignWeight> {
  const weight = `${name}.weight`;
  const [outFeatures, bytes] = expectTensor(checkpoint, weight, ["i8"], [null, null]).shape;
  const inFeatures = 8 * bytes;
  expectTensor(checkpoint, `${name}.weight_scale`, floatDTypes, [outFeatures]);
  expectTensor(checkpoint, `${name}.input_factor`, floatDTypes, [inFeatures]);
  const scales = await readHalves(checkpoint, `${name}.weight_scale`);
  const inputScales = await readHalves(checkpoint, `${name}.input_factor`);
  const shape = { outFeatures, inFeatures };
  const pack = async (): Promise<QTensor> => {
    const signs = await readBytes(checkpoint, weight);
    const codes = Uint8Array.from(
      { length: outFeatures * inFeatures },
      (_, i) => 1 - ((signs[i >> 3] >>> (i & 7)) & 1),
    );
    return QTensor.pack(scheme, { ...shape, codes, scales, inputScales });
  };
  return { ...shape, scheme, pack, decode: async () => (await pack()).dequantize() };
}

/**
 * Reads float16 values. @throws FormatError where one is none: a layer that normalises its products
 * cannot be decoded to a plain one
 */
async function readHalves(checkpoint: Checkpoint, name: string): Promise<Uint16Array> {
  const values = await readScales(checkpoint, name);
  const halves = floatsToHalves(values);
  const widened = halvesToFloats(halves);
  const at = values.findIndex((value, i) => value !== widened[i]);
  if (at < 0) return halves;
  throw new FormatError(
    `tensor ${quoteName(name)}: ${values[at]} at ${at} is no float16 value, and a OneBit layer has no other`,
    { hint: "convert the checkpoint to float16 with its own tools first" },
  );
}
