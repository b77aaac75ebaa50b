import { ternary } from "../../quant/grids/ternary.ts";
import { QTensor } from "../../quant/q-tensor.ts";
import { makeScheme } from "../../quant/scheme.ts";
import { FormatError } from "../../util/errors.ts";
import {
  bfloatBitsToFloat,
  floatToBfloatBits,
  floatToHalfBits,
  halfBitsToFloat,
} from "../../util/half.ts";
import { roundHalfEven } from "../../util/rounding.ts";
import type { JsonRecord } from "../../util/json.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { readFloatTensor } from "../read-float-tensor.ts";
import { quoteName } from "../wording.ts";
import type { ForeignContainer, ForeignModule, ForeignWeight } from "./foreign-container.ts";
import {
  expectTensor,
  floatDTypes,
  modulesWith,
  ofMethod,
  readBytes,
  readScales,
  refuseSetting,
} from "./module-tensors.ts";

/**
 * BitNet b1.58 as transformers has it: U8 `[out/4, in]`, bits 2k and 2k + 1 of byte row i are output
 * k·(out/4) + i, value + 1; one `weight_scale` a tensor, by which `bitlinear` divides and
 * `autobitlinear` multiplies. Checkpoints of mode `online` hold latent weights, rounded as they are
 * used. Inputs are rounded to 8 bits a token. Source: transformers, integrations/bitnet.py.
 */
export const bitnet: ForeignContainer = {
  find(checkpoint) {
    const found = ofMethod(checkpoint.config, "bitnet");
    if (!found) return null;
    const { settings, config } = found;
    if (settings.use_rms_norm === true) {
      refuseSetting("use_rms_norm", true, "fewbit has no norm in front of each linear layer");
    }
    const modules = isOnline(settings)
      ? latent(checkpoint, settings)
      : packed(checkpoint, settings);
    return { title: "BitNet", modules, config, notices: [] };
  },
};

/** Ternary weights, inputs rounded to 8 bits a token. */
const scheme = makeScheme(ternary, null, { bits: 8, mode: "token" });

function isAuto({ linear_class: linear = "bitlinear" }: JsonRecord): boolean {
  if (linear !== "bitlinear" && linear !== "autobitlinear") {
    refuseSetting("linear_class", linear, "bitlinear and autobitlinear are read");
  }
  return linear === "autobitlinear";
}

function isOnline(settings: JsonRecord): boolean {
  const { quantization_mode: mode = "offline" } = settings;
  if (mode !== "online" && mode !== "offline") {
    refuseSetting("quantization_mode", mode, "online and offline are read");
  }
  return isAuto(settings) && mode === "online";
}

function packed(checkpoint: Checkpoint, settings: JsonRecord): ForeignModule[] {
  const multiplies = isAuto(settings);
  return modulesWith(checkpoint, ".weight_scale").map((name) => ({
    name,
    tensors: [`${name}.weight`, `${name}.weight_scale`],
    open: async () => {
      const weight = `${name}.weight`;
      const [quarter, inFeatures] = expectTensor(checkpoint, weight, ["u8"], [null, null]).shape;
      expectTensor(checkpoint, `${name}.weight_scale`, floatDTypes, [1]);
      const [stored] = await readScales(checkpoint, `${name}.weight_scale`);
      const scale = multiplies ? stored : Math.fround(1 / stored);
      const shape = { outFeatures: 4 * quarter, inFeatures };
      const codes = async (): Promise<Uint8Array> =>
        unpack(await readBytes(checkpoint, weight), weight);
      return ternaryWeight(name, shape, scale, codes);
    },
  }));
}

function unpack(bytes: Uint8Array, name: string): Uint8Array {
  const codes = new Uint8Array(4 * bytes.length);
  for (let part = 0; part < 4; part++) {
    const at = part * bytes.length;
    for (let i = 0; i < bytes.length; i++) codes[at + i] = (bytes[i] >>> (2 * part)) & 3;
  }
  if (!codes.includes(3)) return codes;
  throw new FormatError(`tensor ${quoteName(name)}: there is the code 3, expected 0, 1 and 2`);
}

/** The layers that are rounded as they are used: all linear layers of blocks. */
function latent(
  checkpoint: Checkpoint,
  { modules_to_not_convert: left }: JsonRecord,
): ForeignModule[] {
  if (left !== undefined && left !== null && !Array.isArray(left)) {
    throw new FormatError(
      `quantization_config: \`modules_to_not_convert\` is ${JSON.stringify(left)}, expected names`,
    );
  }
  const kept = left ? left.map(String) : ["lm_head"];
  const isKept = (name: string): boolean =>
    kept.some((each) => name === each || name.endsWith(`.${each}`));
  return modulesWith(checkpoint, "_proj.weight")
    .map((each) => `${each}_proj`)
    .filter((name) => !isKept(name))
    .map((name) => ({
      name,
      tensors: [`${name}.weight`],
      open: () => openLatent(checkpoint, name),
    }));
}

async function openLatent(checkpoint: Checkpoint, name: string): Promise<ForeignWeight> {
  const weight = `${name}.weight`;
  const { dtype, shape } = expectTensor(checkpoint, weight, floatDTypes, [null, null]);
  const read = async (): Promise<Float32Array> =>
    (await readFloatTensor(checkpoint, weight)).values;
  const values = await read();
  const mean = Math.fround(values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length);
  const factor = Math.fround(1 / Math.max(mean, Math.fround(1e-5)));
  const inverse = Math.fround(1 / factor);
  const codes = async (): Promise<Uint8Array> =>
    Uint8Array.from(await read(), (value) => {
      const level = roundHalfEven(Math.fround(value * factor));
      return Math.max(-1, Math.min(1, level)) + 1;
    });
  const [outFeatures, inFeatures] = shape;
  return ternaryWeight(name, { outFeatures, inFeatures }, roundTo(dtype, inverse), codes);
}

function roundTo(dtype: string, value: number): number {
  if (dtype === "bf16") return bfloatBitsToFloat(floatToBfloatBits(value));
  return dtype === "f16" ? halfBitsToFloat(floatToHalfBits(value)) : value;
}

function ternaryWeight(
  name: string,
  shape: { readonly outFeatures: number; readonly inFeatures: number },
  scale: number,
  codes: () => Promise<Uint8Array>,
): ForeignWeight {
  if (!Number.isFinite(scale)) {
    throw new FormatError(
      `tensor ${quoteName(`${name}.weight_scale`)}: expected a scale, not ${scale}`,
    );
  }
  const half = floatToHalfBits(scale);
  const isExact = halfBitsToFloat(half) === scale;
  const scales = new Uint16Array(shape.outFeatures).fill(half);
  return {
    ...shape,
    scheme: isExact ? scheme : null,
    pack: async () => QTensor.pack(scheme, { ...shape, codes: await codes(), scales }),
    decode: async () => Float32Array.from(await codes(), (code) => (code - 1) * scale),
  };
}
